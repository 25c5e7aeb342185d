"""aiortc's DTLS with SRTP keys for the native core, over ICE that may be exchanged under it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    State,
)

from sealroom.media.errors import TransportError
from sealroom.media.media_path import MediaPath
from sealroom.media.packet_transport import PacketTransport

MAX_QUEUED_DTLS = 256
"""DTLS datagrams waiting for aiortc; more are dropped (DTLS and SCTP retransmit)."""

MAX_EARLY_MEDIA = 64
"""Datagrams kept that arrive after the peer has keys and before we have ours."""

SRTP_PROFILES = [SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]

PROFILE_NUMBERS = {  # RFC 5764 section 4.1.2, RFC 7714 section 14.2
    b"SRTP_AES128_CM_SHA1_80": 0x0001,
    b"SRTP_AEAD_AES_128_GCM": 0x0007,
    b"SRTP_AEAD_AES_256_GCM": 0x0008,
}


class DtlsCarrier:
    """Stands in for `RTCIceTransport`: takes from every path, sends over the one in use.

    An ICE restart leaves the DTLS association and its keys as they are (RFC 8842 section 4).
    """

    def __init__(self, path: MediaPath) -> None:
        self.path = path
        self._received: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def role(self) -> str:
        return "controlling" if self.path.connection.ice_controlling else "controlled"

    def receive(self, datagram: bytes) -> None:
        """Takes a DTLS datagram; dropped if too many wait."""
        if self._received.qsize() < MAX_QUEUED_DTLS:
            self._received.put_nowait(datagram)

    def close(self) -> None:
        """Has aiortc's receive task end."""
        self._received.put_nowait(None)

    async def _recv(self) -> bytes:
        datagram = await self._received.get()
        if datagram is None:
            raise ConnectionError("the transport was closed")
        return datagram

    async def _send(self, datagram: bytes) -> None:
        # Dropped while there is no path, as a network would: an error would end the association.
        self.path.send(datagram)


class NativeDtlsTransport(RTCDtlsTransport):
    """A DTLS transport that gives its SRTP keys to the native core and never touches SRTP."""

    def __init__(
        self,
        carrier: DtlsCarrier,
        certificate: RTCCertificate,
        packet_transport: PacketTransport,
    ) -> None:
        super().__init__(cast(RTCIceTransport, carrier), [certificate])
        self._packet_transport = packet_transport
        self._srtp_profiles = SRTP_PROFILES
        self._early_media: deque[bytes] | None = deque(maxlen=MAX_EARLY_MEDIA)
        self.srtp_profile: str | None = None

    def _setup_srtp(self) -> None:
        # DTLS-SRTP, RFC 5764 section 4.2: client key, server key, client salt, server salt.
        assert self._ssl is not None
        name = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in self._srtp_profiles if p.openssl_profile == name), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        client = profile.get_key_and_salt(material, 0)
        server = profile.get_key_and_salt(material, 1)
        is_server = self._role == "server"
        self._packet_transport.start(
            profile=PROFILE_NUMBERS[name],
            send_key=server if is_server else client,
            receive_key=client if is_server else server,
        )
        self.srtp_profile = name.decode().removeprefix("SRTP_")
        early, self._early_media = self._early_media or (), None
        for datagram in early:
            self._packet_transport.receive_datagram(datagram)

    def receive_media(self, datagram: bytes) -> None:
        """Takes an SRTP or SRTCP datagram that came over aioice's socket."""
        if self._early_media is not None:
            self._early_media.append(datagram)
        else:
            self._packet_transport.receive_datagram(datagram)

    def receive_stray_media(self, datagram: bytes) -> None:
        """Takes one of an address that did not prove itself: once there are keys, they tell."""
        if self._early_media is None:
            self._packet_transport.receive_datagram(datagram)

    async def _send_rtp(self, data: bytes) -> None:
        raise TransportError("the native core sends all media of this transport")
