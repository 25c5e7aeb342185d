"""Which announcement may follow another, over all that can happen to a few tracks."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.access import StreamChangeError, find_track_changes
from sealroom.protocol import AnnouncedTrack, StreamAnnouncement

TRACKS = {
    "v": AnnouncedTrack(track_id="v", kind="video", codec="vp8"),
    "a": AnnouncedTrack(track_id="a", kind="audio", codec="opus"),
    "s": AnnouncedTrack(track_id="s", kind="video", codec="vp8", source="screen"),
}


def announcement(version: int = 1, *names: str, **changes: object) -> StreamAnnouncement:
    """One with tracks by name; a name in capitals is muted."""
    made = StreamAnnouncement(
        context_id="c",
        room_id="r",
        stream_id="s",
        nonce=bytes(16),
        epoch=3,
        tracks=[
            msgspec.structs.replace(TRACKS[one.lower()], enabled=one.islower()) for one in names
        ],
        version=version,
    )
    return msgspec.structs.replace(made, **changes)


@dataclass
class Model:
    """What was removed, and what there is."""

    now: StreamAnnouncement = field(default_factory=lambda: announcement(1, "v", "a"))
    removed: set[str] = field(default_factory=set)


names = st.lists(st.sampled_from("vasVAS"), max_size=3, unique_by=str.lower)
steps = st.lists(st.tuples(st.integers(0, 2), names), max_size=12)


@settings(deadline=None)
@given(steps)
def test_a_removed_track_never_comes_back_and_a_version_never_goes_back(
    steps: list[tuple[int, list[str]]],
) -> None:
    model = Model()
    for growth, wanted in steps:
        after = announcement(model.now.version + growth, *wanted)
        ids = {one.track_id for one in after.tracks}
        old = {one.track_id for one in model.now.tracks}
        may = growth > 0 and not ids & model.removed
        try:
            changes = find_track_changes(model.now, after, model.removed)
        except StreamChangeError:
            assert not may
            continue
        assert may
        assert {one.track_id for one in changes.added} == ids - old
        assert {one.track_id for one in changes.removed} == old - ids
        flipped = {
            one.track_id
            for one in after.tracks
            for before in model.now.tracks
            if one.track_id == before.track_id and one.enabled != before.enabled
        }
        assert {after.track_id for _, after in changes.modified} == flipped
        model.removed |= old - ids
        model.now = after


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_id", "x"),
        ("room_id", "x"),
        ("stream_id", "x"),
        ("nonce", b"x" * 16),
        ("epoch", 2),
    ],
)
def test_a_stream_stays_where_it_is(field: str, value: object) -> None:
    before = announcement(1, "v")
    with pytest.raises(StreamChangeError) as caught:
        find_track_changes(before, announcement(2, "v", **{field: value}), ())
    assert caught.value.field == field
    find_track_changes(before, announcement(2, "v", epoch=4), ())
