"""Recordings: what goes in comes out of a player, and broken input does no harm."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from sealroom.errors import InvalidArgumentError
from sealroom.media.audio_codecs import OpusEncoder
from sealroom.media.frames import EncodedFrame
from sealroom.media.video_codecs import VideoEncoder
from sealroom.recording import MatroskaWriter, RecordingError, examine_recording
from sealroom.sources import open_source

GRAPH = (
    "testsrc2=size=160x120:rate=30[out0];"
    "sine=frequency=440:sample_rate=48000:samples_per_frame=960[out1]"
)


@pytest.fixture(scope="module")
def frames() -> list[EncodedFrame]:
    """Two seconds of video and audio; timestamps wrap after one second, key frames at 0 and 30."""
    video, audio = VideoEncoder("vp8"), OpusEncoder()
    made: list[EncodedFrame] = []
    with av.open(GRAPH, "r", format="lavfi") as container:
        for frame in container.decode():
            if frame.time is not None and frame.time >= 2:
                break
            is_video = isinstance(frame, av.VideoFrame)
            if is_video:
                encoded = video.encode(frame, force_key_frame=round(frame.time * 30) % 30 == 0)
            else:
                encoded = audio.encode(frame)
            rate = 90_000 if is_video else 48_000
            made += [
                EncodedFrame(
                    one.data,
                    (one.time - rate) & 0xFFFFFFFF,
                    one.is_key_frame,
                    "video" if is_video else "audio",
                    "vp8" if is_video else "opus",
                    "track",
                    arrival=100.0 + one.time / rate,
                )
                for one in encoded
            ]
    return made


def of_kind(frames: list[EncodedFrame], kind: str) -> list[EncodedFrame]:
    return [frame for frame in frames if frame.kind == kind]


def test_every_frame_plays_at_its_time(tmp_path: Path, frames: list[EncodedFrame]) -> None:
    path = tmp_path / "call.mkv"
    with MatroskaWriter(path) as writer:
        for frame in frames:
            writer.write(frame)
    assert writer.frames_written == len(frames)
    summary = examine_recording(path)
    assert summary.video_frames == len(of_kind(frames, "video")) == 60
    assert summary.audio_frames == len(of_kind(frames, "audio"))
    assert (summary.width, summary.height) == (160, 120)
    assert summary.seconds == pytest.approx(2.0, abs=0.1)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 30 for number in range(60)], abs=0.002)


def test_video_begins_at_its_first_key_frame(tmp_path: Path, frames: list[EncodedFrame]) -> None:
    video = of_kind(frames, "video")[10:]
    with MatroskaWriter(tmp_path / "late.mkv", ["video"]) as writer:
        for frame in video:
            writer.write(frame)
    assert writer.frames_skipped == 20
    assert examine_recording(writer.path).video_frames == 30


def test_sound_that_comes_first_is_kept_and_in_step(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    with MatroskaWriter(tmp_path / "step.mkv") as writer:
        for frame in of_kind(frames, "audio") + of_kind(frames, "video")[30:]:
            writer.write(frame)
    with av.open(str(writer.path)) as container:
        first = next(container.decode(video=0))
    assert first.time == pytest.approx(1.0, abs=0.01)
    assert examine_recording(writer.path).audio_frames == len(of_kind(frames, "audio"))


def test_a_kind_that_never_comes_is_left_out(tmp_path: Path, frames: list[EncodedFrame]) -> None:
    with MatroskaWriter(tmp_path / "sound.mkv") as writer:
        for frame in of_kind(frames, "audio"):
            writer.write(frame)
        assert not writer.path.exists()
    summary = examine_recording(writer.path)
    assert summary.video_frames == 0
    assert summary.audio_frames > 90


def test_a_kind_that_does_not_come_for_long_keeps_nothing_waiting(
    tmp_path: Path, frames: list[EncodedFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A muted microphone, or a camera that is off: nothing is lost, and it may still begin."""
    monkeypatch.setattr("sealroom.recording.matroska.MAX_WAITING_FRAMES", 20)
    for kind, other in (("video", "audio"), ("audio", "video")):
        with MatroskaWriter(tmp_path / f"{kind}.mkv") as writer:
            for frame in of_kind(frames, kind):
                writer.write(frame)
            assert writer.frames_written == len(of_kind(frames, kind))
            for frame in of_kind(frames, other):
                writer.write(replace(frame, arrival=(frame.arrival or 0) + 2))
        assert writer.frames_skipped == 0
        summary = examine_recording(writer.path)
        assert summary.video_frames == 60
        assert summary.audio_frames == len(of_kind(frames, "audio"))
        assert summary.seconds == pytest.approx(4.0, abs=0.1)
        with av.open(str(writer.path)) as container:
            first = next(container.decode(**{other: 0}))
        assert first.time == pytest.approx(2.0, abs=0.01)


def frames_of(
    frame: EncodedFrame, *, step: float, arrivals: float, size: int = 0
) -> Iterator[EncodedFrame]:
    """The same frame without end, with these seconds between two, and grown to a size."""
    data = bytes(frame.data).ljust(size, b"\0")
    for number in range(100_000):
        yield EncodedFrame(
            data,
            round(number * step * 90_000) & 0xFFFFFFFF,
            True,
            frame.kind,
            frame.codec,
            "track",
            arrival=100.0 + number * arrivals,
        )


@pytest.mark.parametrize(
    ("step", "arrivals", "size", "most"),
    [
        (1.0, 1.0, 0, 11),  # a slow screen
        (0.2, 0.0, 0, 51),  # frames that came all at once
        (0.0, 0.2, 0, 51),  # time that stands still
        (0.01, 0.01, 1 << 20, 8),  # 100 MiB a second
        (0.0, 0.0, 0, 1500),
    ],
)
def test_a_kind_that_never_comes_is_not_waited_for_beyond_seconds_bytes_or_frames(
    tmp_path: Path, frames: list[EncodedFrame], step: float, arrivals: float, size: int, most: int
) -> None:
    video = frames_of(of_kind(frames, "video")[0], step=step, arrivals=arrivals, size=size)
    with MatroskaWriter(tmp_path / "x.mkv") as writer:
        for _ in range(most - 1):
            writer.write(next(video))
            assert not writer.path.exists()
        writer.write(next(video))
        assert writer.path.exists()


def test_what_waits_of_a_late_kind_is_bounded_in_bytes(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    """Its first second is held back, and may be large."""
    video = frames_of(of_kind(frames, "video")[0], step=0.001, arrivals=0.001, size=1 << 20)
    with MatroskaWriter(tmp_path / "x.mkv") as writer:
        for audio in frames_of(of_kind(frames, "audio")[0], step=1.0, arrivals=1.0):
            writer.write(audio)
            if writer.path.exists():
                break
        before = writer.frames_written
        for _ in range(8):
            writer.write(next(video))
        assert writer.frames_written == before + 8


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-26T14:30.mkv",
        "a%d.mkv",
        "-.mkv",
        "file:x.mkv",
        "pipe:1.mkv",
        "a#b?c.mkv",
        "ü 王.mkv",
    ],
)
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_file_may_have_any_name(
    tmp_path: Path,
    frames: list[EncodedFrame],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_relative: bool,
) -> None:
    """FFmpeg takes what stands before a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    path = name if is_relative else str(tmp_path / name)
    with MatroskaWriter(path, ["audio"]) as writer:
        for frame in frames:
            writer.write(frame)
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert examine_recording(path).audio_frames > 90
    source = open_source(path)
    assert source.audio is not None
    source.stop()


def test_what_waits_to_settle_is_bounded(
    tmp_path: Path, frames: list[EncodedFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.recording.matroska.MAX_WAITING_FRAMES", 20)
    monkeypatch.setattr("sealroom.recording.matroska.SETTLING", 1000.0)
    with MatroskaWriter(tmp_path / "x.mkv") as writer:
        for number, frame in enumerate(frames, 1):
            writer.write(frame)
            assert number - writer.frames_written <= 2 * 20
    assert writer.frames_written == len(frames)


def test_sound_that_arrives_late_in_a_burst_is_still_in_step(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    """Its first packets waited 80 ms for the connection and then came at once."""
    with MatroskaWriter(tmp_path / "burst.mkv") as writer:
        for frame in frames:
            is_early = frame.kind == "audio" and (frame.arrival or 0) < 100.08
            writer.write(replace(frame, arrival=100.08) if is_early else frame)
    with av.open(str(writer.path)) as container:
        first = next(container.decode(audio=0))
    assert first.time == pytest.approx(0.0, abs=0.01)  # players leave out the first 6.5 ms of Opus


@pytest.mark.parametrize("jump", [1_000_000_000, 3_000_000_000])
def test_a_stream_that_comes_back_under_another_rtp_clock_goes_on_by_arrival(
    tmp_path: Path, frames: list[EncodedFrame], jump: int
) -> None:
    """A publisher that lost its connection begins at a random timestamp, ahead or behind."""
    with MatroskaWriter(tmp_path / "again.mkv") as writer:
        for frame in frames:
            writer.write(frame)
        for frame in frames:
            later = (frame.rtp_timestamp + jump) & 0xFFFFFFFF
            writer.write(replace(frame, rtp_timestamp=later, arrival=(frame.arrival or 0) + 10))
    assert writer.frames_skipped == 0
    summary = examine_recording(writer.path)
    assert summary.video_frames == 120
    assert summary.seconds == pytest.approx(12.0, abs=0.1)
    with av.open(str(writer.path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times[60] == pytest.approx(10.0, abs=0.01)


def test_rejected_frames_are_refused(tmp_path: Path) -> None:
    writer = MatroskaWriter(tmp_path / "x.mkv")
    frame = EncodedFrame(b"x", 0, True, "audio", "opus", "t", rejected="authentication_failed")
    with pytest.raises(ValueError, match="rejected"):
        writer.write(frame)
    writer.close()
    assert not writer.path.exists()


def test_repeated_and_earlier_times_are_skipped(tmp_path: Path, frames: list[EncodedFrame]) -> None:
    audio = of_kind(frames, "audio")
    with MatroskaWriter(tmp_path / "x.mkv", ["audio"]) as writer:
        for frame in [*audio[:10], audio[9], audio[5], *audio[10:]]:
            writer.write(frame)
    assert writer.frames_written == len(audio)
    assert writer.frames_skipped == 2


def test_key_frames_of_nonsense_do_not_begin_a_video(tmp_path: Path) -> None:
    with MatroskaWriter(tmp_path / "x.mkv", ["video"]) as writer:
        for data in (b"", b"\0" * 9, b"\0" * 10):
            writer.write(EncodedFrame(data, 0, True, "video", "vp8", "t"))
    assert not writer.path.exists()


def test_a_file_that_cannot_be_written_is_an_error_with_its_name(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    with pytest.raises(RecordingError, match=r"x\.mkv: there is no folder .*such; make it first"):
        MatroskaWriter(tmp_path / "no" / "such" / "x.mkv", ["audio"])
    (tmp_path / "x.mkv").mkdir()
    writer = MatroskaWriter(tmp_path / "x.mkv", ["audio"])
    with pytest.raises(RecordingError, match=r"x\.mkv"):
        writer.write(of_kind(frames, "audio")[0])


def test_what_is_no_recording_does_not_play(tmp_path: Path) -> None:
    path = tmp_path / "noise.mkv"
    path.write_bytes(secrets.token_bytes(5000))
    with pytest.raises(RecordingError, match="cannot play"):
        examine_recording(path)
    with pytest.raises(RecordingError, match="cannot play"):
        examine_recording(tmp_path / "missing.mkv")


def test_video_of_another_codec_is_skipped_and_the_file_plays(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    path = tmp_path / "call.mkv"
    video = of_kind(frames, "video")
    with MatroskaWriter(path, ["video"]) as writer:
        for number, frame in enumerate(video):
            writer.write(frame if number % 2 == 0 else replace(frame, codec="av1"))
    assert writer.frames_skipped == len(video) // 2
    assert writer.frames_written == len(video) - len(video) // 2
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == "vp8"


def test_video_without_a_key_frame_is_told(
    tmp_path: Path, frames: list[EncodedFrame], caplog: pytest.LogCaptureFixture
) -> None:
    with MatroskaWriter(tmp_path / "call.mkv") as writer:
        for frame in of_kind(frames, "video")[1:20] + of_kind(frames, "audio"):
            writer.write(frame)
    assert "call.mkv is without video: none of its 19 frames was a key frame" in caplog.text
    assert "request_key_frame" in caplog.text


def test_a_recording_in_which_nothing_came_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MatroskaWriter(tmp_path / "call.mkv") as writer:
        pass
    assert not writer.path.exists()
    assert "call.mkv is not written: no frame came" in caplog.text


def test_a_whole_recording_needs_no_word(
    tmp_path: Path, frames: list[EncodedFrame], caplog: pytest.LogCaptureFixture
) -> None:
    with MatroskaWriter(tmp_path / "call.mkv", ["audio"]) as writer:
        for frame in frames:
            writer.write(frame)
    assert not caplog.records


@pytest.mark.parametrize("kinds", ["video", [], ["data"], ["video", "data"]])
def test_kinds_that_a_file_cannot_hold_are_refused(tmp_path: Path, kinds: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^kinds: "):
        MatroskaWriter(tmp_path / "call.mkv", kinds)


def test_what_is_no_frame_or_comes_after_the_end_is_refused(
    tmp_path: Path, frames: list[EncodedFrame]
) -> None:
    writer = MatroskaWriter(tmp_path / "call.mkv")
    with pytest.raises(InvalidArgumentError, match=r"^frame: an EncodedFrame, not bytes"):
        writer.write(b"frame")  # type: ignore[arg-type]  # the mistake under test
    for frame in frames:
        writer.write(frame)
    writer.close()
    with pytest.raises(RecordingError, match="is closed"):
        writer.write(frames[-1])
    assert examine_recording(writer.path).video_frames == 60
