"""SRTP and SRTCP (RFC 3711, RFC 7714): protection of RTP packets between two DTLS peers.

Contexts are one-way. They take any one-dimensional bytes-like object, raise the errors of
`sealroom.errors`, and may be used from several threads.

>>> from sealroom import srtp
>>> profile = srtp.Profile.AEAD_AES_256_GCM
>>> master = bytes(sum(srtp.master_size(profile)))
>>> sender = srtp.Sender(profile=profile, master=master)
>>> receiver = srtp.Receiver(profile=profile, master=master)
>>> packet = bytes.fromhex("8060000100000000cafebabe") + b"payload"
>>> receiver.unprotect_rtp(sender.protect_rtp(packet))[12:]
b'payload'
"""

from sealroom._core.srtp import Profile, Receiver, Sender, master_size

__all__ = ["Profile", "Receiver", "Sender", "master_size"]
