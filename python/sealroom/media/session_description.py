"""Session descriptions (RFC 8866, RFC 8829) between `MediaSection` and text, through aiortc.sdp.

aiortc.sdp parses with assertions and drops attributes it does not know; `parse_description` bounds
its input, turns whatever it raises into NegotiationError and reads `a=bundle-only` itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from aiortc import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    sdp,
)
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.rtcsctptransport import RTCSctpCapabilities

from sealroom.media.description_bounds import bounded_description
from sealroom.media.errors import NegotiationError
from sealroom.media.sections import CodecName, DataSection, Direction, MediaSection, sends

MAX_CANDIDATES = 64
_PAYLOAD_TYPES = frozenset((*range(64), *range(96, 128)))  # with rtcp-mux, RFC 5761 section 4
MAX_MID_LENGTH = 16
MAX_MSID_LENGTH = 64  # RFC 8830 section 2

DATA_PROFILE = "UDP/DTLS/SCTP"  # RFC 8841 section 4
DATA_FORMAT = "webrtc-datachannel"
DEFAULT_MAX_MESSAGE_SIZE = 64 << 10  # of a peer that does not say, RFC 8841 section 6
SCTP_PORT = 5000


def _video(name: str, payload_type: int, parameters: dict[str, Any]) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(
        mimeType=f"video/{name}",
        clockRate=90000,
        payloadType=payload_type,
        rtcpFeedback=[RTCRtcpFeedback(type="nack"), RTCRtcpFeedback(type="nack", parameter="pli")],
        parameters=parameters,
    )


_ORIGIN = re.compile(r"^o=\S+ (\d{1,20}) ", re.MULTILINE)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")  # RFC 4566 section 9

EXTENSION_URIS = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
}
OFFERED_EXTENSIONS = {"mid": 1, "audio_level": 2, "abs_send_time": 3}
_EXTENSIONS_OF_KIND = {"audio": ("mid", "audio_level"), "video": ("mid", "abs_send_time")}
MAX_EXTENSION_ID = 14  # one-byte headers, RFC 8285 section 4.2

_CODECS: Final[Mapping[CodecName, RTCRtpCodecParameters]] = {
    "opus": RTCRtpCodecParameters(
        mimeType="audio/opus",
        clockRate=48000,
        channels=2,
        payloadType=111,
        parameters={"minptime": 10, "stereo": 1},
    ),
    "vp8": _video("VP8", 96, {}),
    "vp9": _video("VP9", 98, {"profile-id": 0}),
    # Constrained baseline, level 5.2, several NAL units in a packet (RFC 6184 section 8.1).
    "h264": _video(
        "H264",
        102,
        {"level-asymmetry-allowed": 1, "packetization-mode": 1, "profile-level-id": "42e034"},
    ),
    "av1": _video("AV1", 104, {"profile": 0, "level-idx": 13, "tier": 0}),
}
_NAMES: Final = {codec.mimeType.lower(): name for name, codec in _CODECS.items()}


@dataclass(frozen=True)
class RemoteSection:
    """What the peer says about one m-line; `payload_types` are those of the codecs we share.

    `sctp_port` is that of an m-line of data channels, None for all others; `max_message_size` is
    what the peer takes there, 0 for any size.
    """

    mid: str
    kind: str
    profile: str
    formats: tuple[str, ...]
    codecs: tuple[RTCRtpCodecParameters, ...]
    rejected: bool
    direction: Direction
    payload_types: Mapping[CodecName, int]
    """In the order of the peer's preference."""
    ssrc: int | None
    stream_id: str
    track_id: str
    extensions: Mapping[str, int]
    sctp_port: int | None = None
    max_message_size: int = 0


@dataclass(frozen=True)
class RemoteTransport:
    """The peer's transport parameters: those of its first accepted m-line."""

    ice: RTCIceParameters
    dtls: RTCDtlsParameters
    candidates: tuple[RTCIceCandidate, ...]
    candidates_complete: bool


@dataclass(frozen=True)
class RemoteDescription:
    """A parsed description; `transport` is None if every m-line is rejected.

    `session_id` is that of the origin line (RFC 8866 section 5.2), empty if it has none.
    """

    sections: tuple[RemoteSection, ...]
    transport: RemoteTransport | None
    session_id: str = ""


@dataclass(frozen=True)
class LocalTransport:
    """This side's transport parameters, the same on every m-line (max-bundle)."""

    ice: RTCIceParameters
    candidates: Sequence[RTCIceCandidate]
    fingerprints: Sequence[RTCDtlsFingerprint]
    setup: str  # "auto" (actpass), "client" (active) or "server" (passive)


def default_payload_type(codec: CodecName) -> int:
    """Returns the payload type this side offers for a codec."""
    payload_type = _CODECS[codec].payloadType
    assert payload_type is not None
    return payload_type


def check_token(value: str, what: str, limit: int) -> str:
    """Returns `value` if it is a token of 1 to `limit` characters, else raises NegotiationError."""
    if len(value) > limit or not _TOKEN.fullmatch(value):
        raise NegotiationError(f"{what} must be a token of 1 to {limit} characters: {value[:80]!r}")
    return value


def parse_candidate(text: str) -> RTCIceCandidate:
    """Parses a trickled candidate, with or without the leading "candidate:" or "a="."""
    if len(text) > 1024:
        raise NegotiationError("the ICE candidate is too long")
    try:
        return sdp.candidate_from_sdp(text.removeprefix("a=").removeprefix("candidate:"))
    except (AssertionError, ValueError) as error:
        raise NegotiationError("malformed ICE candidate") from error


def parse_description(text: str) -> RemoteDescription:
    """Parses the peer's offer or answer. Raises NegotiationError; no size in it is trusted."""
    bounded, groups = bounded_description(text)
    try:
        description = sdp.SessionDescription.parse(bounded)
    except Exception as error:
        # aiortc's parser raises whatever its assertions, splits and look-ups happen to.
        raise NegotiationError("malformed session description") from error
    sections = tuple(
        _remote_section(media, lines)
        for media, lines in zip(description.media, groups, strict=True)
    )
    if len({section.mid for section in sections}) != len(sections):
        raise NegotiationError("two m-lines have the same mid")
    accepted = [
        media
        for media, section in zip(description.media, sections, strict=True)
        if not section.rejected
    ]
    return RemoteDescription(
        sections,
        _remote_transport(accepted[0]) if accepted else None,
        session_id=read_session_id(text),
    )


def read_session_id(text: str) -> str:
    """Returns the session id of the origin line (RFC 8866 section 5.2), empty if there is none."""
    found = _ORIGIN.search(text)
    return found[1] if found else ""


def _remote_transport(media: sdp.MediaDescription) -> RemoteTransport:
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise NegotiationError("ICE user name or password is missing")
    if media.dtls is None or not media.dtls.fingerprints:
        raise NegotiationError("DTLS fingerprint or setup attribute is missing")
    candidates = tuple(c for c in media.ice_candidates if is_usable(c))
    if len(candidates) > MAX_CANDIDATES:
        raise NegotiationError(f"more than {MAX_CANDIDATES} ICE candidates")
    return RemoteTransport(media.ice, media.dtls, candidates, media.ice_candidates_complete)


def is_usable(candidate: RTCIceCandidate) -> bool:
    """True for a UDP candidate of the one component that rtcp-mux leaves."""
    return candidate.component == 1 and candidate.protocol.lower() == "udp"


def _remote_section(media: sdp.MediaDescription, lines: Sequence[str]) -> RemoteSection:
    mid = check_token(media.rtp.muxId or "", "a=mid", MAX_MID_LENGTH)
    is_media = media.kind in _EXTENSIONS_OF_KIND
    rejected = media.port == 0 and "a=bundle-only" not in lines
    if is_media and not rejected and not media.rtcp_mux:
        raise NegotiationError("RTCP multiplexing is required")
    direction = cast(Direction, media.direction or "sendrecv")
    stream_id, _, track_id = (media.msid or "").partition(" ") if sends(direction) else ("", "", "")
    supported = {EXTENSION_URIS[name]: name for name in _EXTENSIONS_OF_KIND.get(media.kind, ())}
    return RemoteSection(
        mid=mid,
        kind=media.kind,
        profile=media.profile,
        formats=tuple(map(str, media.fmt)),
        codecs=tuple(media.rtp.codecs),
        rejected=rejected,
        direction=direction,
        payload_types=_shared_codecs(media.rtp.codecs) if is_media else {},
        ssrc=media.ssrc[0].ssrc if media.ssrc and sends(direction) else None,
        stream_id=stream_id,
        track_id=track_id,
        extensions={
            supported[e.uri]: e.id
            for e in media.rtp.headerExtensions
            if e.uri in supported and 1 <= e.id <= MAX_EXTENSION_ID
        },
        **_data_channels(media),
    )


def _data_channels(media: sdp.MediaDescription) -> dict[str, int]:
    is_data = media.kind == "application" and media.profile == DATA_PROFILE
    if not is_data or list(map(str, media.fmt)) != [DATA_FORMAT] or media.sctp_port is None:
        return {}
    capabilities = media.sctpCapabilities
    size = DEFAULT_MAX_MESSAGE_SIZE if capabilities is None else capabilities.maxMessageSize
    if not 0 < media.sctp_port < 1 << 16 or size < 0:
        raise NegotiationError("a=sctp-port or a=max-message-size is out of range")
    return {"sctp_port": media.sctp_port, "max_message_size": size}


def _shared_codecs(codecs: Sequence[RTCRtpCodecParameters]) -> dict[CodecName, int]:
    shared: dict[CodecName, int] = {}
    for theirs in codecs:
        name = _NAMES.get(theirs.mimeType.lower())
        if name is None or name in shared or not _is_same_format(theirs, _CODECS[name]):
            continue
        payload_type = theirs.payloadType
        if payload_type is not None and payload_type in _PAYLOAD_TYPES:
            shared[name] = payload_type
    return shared


def _is_same_format(theirs: RTCRtpCodecParameters, ours: RTCRtpCodecParameters) -> bool:
    if theirs.clockRate != ours.clockRate:
        return False
    # Zero if absent: RFC 6184 section 8.1, RFC 9628 section 6.1. Any profile of H.264 will do.
    return all(
        str(theirs.parameters.get(name, 0)) == str(ours.parameters.get(name, 0))
        for name in ("packetization-mode", "profile-id")
    )


def build_description(
    sections: Sequence[MediaSection | DataSection | RemoteSection],
    *,
    answering: bool,
    version: int,
    session_id: int,
    cname: str,
    transport: LocalTransport,
    extensions: Mapping[str, int],
    tag: str | None = None,
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
) -> str:
    """Writes an offer or answer. A RemoteSection stands for an m-line that is rejected.

    `tag`: mid of a section that stays in the bundle when it is stopped. `max_message_size`: of the
    data channels, if there are any.
    """
    description = sdp.SessionDescription()
    description.origin = f"- {session_id} {version} IN IP4 127.0.0.1"
    description.msid_semantic.append(sdp.GroupDescription(semantic="WMS", items=["*"]))
    bundle = sdp.GroupDescription(semantic="BUNDLE", items=[])
    for section in sections:
        if isinstance(section, RemoteSection):
            media = _rejected_media(section)
        elif isinstance(section, DataSection):
            media = _data_media(section, max_message_size)
        else:
            media = _media(section, answering=answering, cname=cname, extensions=extensions)
            if section.mid == tag:
                media.port = 9
        if media.port:
            bundle.items.append(media.rtp.muxId)
        media.ice = transport.ice
        media.dtls = RTCDtlsParameters(
            fingerprints=list(transport.fingerprints), role=transport.setup
        )
        description.media.append(media)
    description.group.append(bundle)
    # Browsers read the candidates of the first line of the bundle, aiortc those of the last line.
    carriers = [m for m in description.media if m.port][:1] + description.media[-1:]
    for media in carriers:
        media.ice_candidates = list(transport.candidates)
        media.ice_candidates_complete = True
    return str(description)


def _media(
    section: MediaSection, *, answering: bool, cname: str, extensions: Mapping[str, int]
) -> sdp.MediaDescription:
    codec = _CODECS[section.codec]
    media = sdp.MediaDescription(
        kind=section.kind,
        port=0 if section.stopped else 9,
        profile="UDP/TLS/RTP/SAVPF",
        fmt=[section.payload_type],
    )
    media.host = "0.0.0.0"  # RFC 8829 section 5.2.1: no default candidate
    media.rtcp_host, media.rtcp_port, media.rtcp_mux = "0.0.0.0", 9, True
    direction = section.current_direction if answering else section.direction
    media.direction = "inactive" if section.stopped else direction
    media.rtp.muxId = section.mid
    media.rtp.codecs = [
        RTCRtpCodecParameters(
            mimeType=codec.mimeType,
            clockRate=codec.clockRate,
            channels=codec.channels,
            payloadType=section.payload_type,
            rtcpFeedback=codec.rtcpFeedback,
            parameters=codec.parameters,
        )
    ]
    media.rtp.headerExtensions = [
        RTCRtpHeaderExtensionParameters(id=extensions[name], uri=EXTENSION_URIS[name])
        for name in _EXTENSIONS_OF_KIND[section.kind]
        if name in extensions
    ]
    if sends(direction) and not section.stopped:
        media.msid = f"{section.stream_id} {section.track_id}"
        if section.local_ssrc is not None:
            media.ssrc = [sdp.SsrcDescription(ssrc=section.local_ssrc, cname=cname)]
    return media


def _data_media(section: DataSection, max_message_size: int) -> sdp.MediaDescription:
    media = sdp.MediaDescription(
        kind="application", port=9, profile=DATA_PROFILE, fmt=[DATA_FORMAT]
    )
    media.host = "0.0.0.0"
    media.rtp.muxId = section.mid
    media.sctp_port = SCTP_PORT
    media.sctpCapabilities = RTCSctpCapabilities(maxMessageSize=max_message_size)
    return media


def _rejected_media(section: RemoteSection) -> sdp.MediaDescription:
    # The formats are echoed: an m-line needs one, and aiortc refuses an answer without a codec.
    media = sdp.MediaDescription(
        kind=section.kind, port=0, profile=section.profile, fmt=list(section.formats)
    )
    media.rtp.muxId = section.mid
    media.rtp.codecs = list(section.codecs)
    media.direction = "inactive"
    media.rtcp_host, media.rtcp_port, media.rtcp_mux = "0.0.0.0", 9, True
    return media
