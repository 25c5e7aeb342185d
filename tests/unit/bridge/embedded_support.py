"""The embedded media server with participants that exist as SDP only."""

from __future__ import annotations

from sealroom.bridge.media_server import PublishedTrack

STREAM = "stream"


def offer_of(tracks: int, stream_id: str = STREAM) -> str:
    """An offer of so many VP8 tracks, without candidates: nobody can connect to whom it is from."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(map(str, range(tracks))))
    for mid in range(tracks):
        lines += [
            "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtcp-mux", "a=sendonly", f"a=mid:{mid}",
            f"a=msid:{stream_id} track{mid}", "a=rtpmap:96 VP8/90000", f"a=ssrc:{mid + 1} cname:x",
            "a=ice-ufrag:abcd", "a=ice-pwd:" + "p" * 22, "a=setup:actpass",
            "a=fingerprint:sha-256 " + ":".join(["AA"] * 32),
        ]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


def tracks_of(tracks: int) -> list[PublishedTrack]:
    return [PublishedTrack(f"track{mid}", "video", "vp8", str(mid)) for mid in range(tracks)]
