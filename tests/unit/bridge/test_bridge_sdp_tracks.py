"""Which m-line of an offer carries which announced track."""

import pytest

from sealroom.bridge.errors import RequestError
from sealroom.bridge.media_server import PublishedTrack
from sealroom.bridge.sdp_tracks import MAX_SECTIONS, match_tracks
from sealroom.protocol import AnnouncedTrack, ErrorCode

VIDEO = AnnouncedTrack(track_id="v", kind="video", codec="vp8")
AUDIO = AnnouncedTrack(track_id="a", kind="audio", codec="opus")


def section(kind: str, mid: str | None, *msids: str) -> str:
    lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=sendonly"]
    if mid is not None:
        lines.append(f"a=mid:{mid}")
    return "\r\n".join(lines + [f"a=msid:{one}" for one in msids]) + "\r\n"


HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=msid-semantic:WMS *\r\na=mid:head\r\n"


def test_tracks_are_found_by_stream_and_track_id_in_any_order() -> None:
    offer = HEAD + section("audio", "0", "s a") + section("video", "x", "s v")
    assert match_tracks(offer, "s", [VIDEO, AUDIO]) == [
        PublishedTrack("v", "video", "vp8", "x"),
        PublishedTrack("a", "audio", "opus", "0"),
    ]


def test_lines_may_end_with_a_line_feed_alone() -> None:
    offer = (HEAD + section("video", "0", "s v")).replace("\r\n", "\n")
    assert match_tracks(offer, "s", [VIDEO])[0].mid == "0"


def test_other_streams_in_the_offer_do_not_matter() -> None:
    offer = HEAD + section("video", "0", "other v") + section("video", "1", "s v")
    offer += section("audio", "2") + section("application", "3")
    assert match_tracks(offer, "s", [VIDEO])[0].mid == "1"


@pytest.mark.parametrize(
    "sections",
    [
        "",
        section("video", "0"),
        section("video", "0", "S v"),
        section("video", "0", "s"),
        section("video", None, "s v"),
        section("video", "", "s v"),
        section("video", "m" * 65, "s v"),
        section("audio", "0", "s v"),
        section("video", "0", "s v") + section("video", "1", "s v"),
        section("video", "0", "s v", "s w"),
        section("video", "0", "s v") + section("audio", "1", "s unannounced"),
        section("audio", "0") * MAX_SECTIONS + section("video", "1", "s v"),
    ],
)
def test_offers_that_do_not_fit_are_refused(sections: str) -> None:
    with pytest.raises(RequestError) as refusal:
        match_tracks(HEAD + sections, "s", [VIDEO])
    assert refusal.value.error is ErrorCode.OFFER_INVALID


def test_a_data_track_has_the_mid_of_the_data_channels() -> None:
    data = AnnouncedTrack(track_id="d", kind="data", codec="message")
    offer = HEAD + section("video", "0", "s v") + section("application", "1")
    assert match_tracks(offer, "s", [data, VIDEO]) == [
        PublishedTrack("d", "data", "message", "1"),
        PublishedTrack("v", "video", "vp8", "0"),
    ]
    for other in ("", section("application", None), section("application", "2") * 2):
        with pytest.raises(RequestError) as refusal:
            match_tracks(HEAD + other, "s", [data])
        assert refusal.value.error is ErrorCode.OFFER_INVALID


def test_two_tracks_cannot_share_a_mid() -> None:
    offer = HEAD + section("video", "0", "s v") + section("audio", "0", "s a")
    with pytest.raises(RequestError):
        match_tracks(offer, "s", [VIDEO, AUDIO])
