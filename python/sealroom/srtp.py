"""SRTP and SRTCP (RFC 3711, RFC 7714, RFC 6188): protection of RTP packets hop by hop.

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

Many packets at a time lie back to back in one uint8 array, beside an int32 array of their sizes. On
the way in a refused packet raises nothing: its status says why, its place holds zeros.

>>> import numpy as np
>>> packets = [bytes.fromhex(f"80600{n}0000000000cafebabe") + b"payload" for n in (2, 3)]
>>> data = np.frombuffer(b"".join(packets), np.uint8)
>>> sizes = np.array([len(packet) for packet in packets], np.int32)
>>> sealed, sealed_sizes = sender.protect_rtp_batch(data, sizes)
>>> sealed[40] ^= 1
>>> opened, opened_sizes, statuses = receiver.unprotect_rtp_batch(sealed, sealed_sizes)
>>> [srtp.PacketStatus(status).name for status in statuses]
['OK', 'AUTHENTICATION_FAILED']
>>> ends = np.cumsum(opened_sizes)
>>> bytes(opened[ends[0] - 7 : ends[0]])
b'payload'

The AES256_CM profiles have no DTLS-SRTP number: their keys come another way, such as SDES. A master
key identifier (MKI) lets a receiver hold several master keys, so that keys change without a gap:

>>> sender = srtp.Sender(profile=profile, master=master, mki=b"1")
>>> receiver = srtp.Receiver(profile=profile, master=master, mki=b"1")
>>> new_master = bytes(range(44))
>>> receiver.set_key(new_master, b"2")
>>> sender.set_key(new_master, b"2")
>>> receiver.unprotect_rtp(sender.protect_rtp(packet))[12:]
b'payload'
>>> receiver.remove_key(b"1")
"""

from sealroom._core.srtp import (
    KeyUsage,
    PacketStatus,
    Profile,
    Receiver,
    Sender,
    master_size,
)

__all__ = ["KeyUsage", "PacketStatus", "Profile", "Receiver", "Sender", "master_size"]
