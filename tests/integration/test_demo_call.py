"""A short demo call from beginning to end, and demos that must fail."""

from __future__ import annotations

import io
import json
import secrets
from pathlib import Path
from typing import cast

import av
import pytest
from rich.console import Console

from sealroom.client import room_editor
from sealroom.demo import DemoOptions, DemoResult, outsider, run_demo
from sealroom.demo import runner as demo_runner
from sealroom.demo.call import open_complete_source
from sealroom.demo.report import Report
from sealroom.recording import examine_recording
from sealroom.sources import SourceError


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def test_a_short_call_passes_and_writes_its_results(tmp_path: Path) -> None:
    screen = console()
    options = DemoOptions(seconds=4, output=tmp_path)
    code = run_demo(options, screen)
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert code == 0, shown

    report = json.loads(options.report_file.read_text())
    assert report["passed"] is True
    assert report["video"]["frames_decoded"] >= 60
    assert report["audio"]["frames_decoded"] >= 100
    assert report["undecryptable"] == 0
    assert report["replayed"] == 0
    assert report["sfu"]["forwarded_packets"] > 200
    assert report["sfu"]["decodable_frames"] == 0
    assert report["outsider"]["refused"] is True
    assert report["outsider"]["frames_decoded"] == 0
    assert report["outsider"]["frames_tried"] > 100
    latency = report["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] < 5000
    assert 0 < report["join_to_first_frame_ms"] < 20_000
    assert report["srtp_profile"] == "AEAD_AES_256_GCM"
    assert report["crypto_backend"] in ("ipsec_mb", "openssl")

    recording = examine_recording(options.recording_file)
    assert recording.video_frames >= 60
    assert recording.audio_frames >= 100
    assert (recording.width, recording.height) == (640, 480)
    assert 2 < recording.seconds < 10
    with av.open(str(options.picture_file)) as container:
        (sheet,) = container.decode(video=0)
    assert (sheet.width, sheet.height) == (1324, 920)

    for word in ("Frames decoded", "Latency", "SRTP profile", "mallory", "OK"):
        assert word in shown


def test_a_call_whose_secret_mallory_knows_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else goes into the keys she has, so that it is the secret that keeps her out."""
    secret = secrets.token_bytes(32)
    monkeypatch.setattr(room_editor, "new_epoch_secret", lambda: secret)
    monkeypatch.setattr(outsider, "new_epoch_secret", lambda: secret)
    screen = console()
    code = run_demo(DemoOptions(seconds=1, output=tmp_path), screen)
    assert code == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["outsider"]["frames_decoded"] == report["outsider"]["frames_tried"] > 20
    assert "mallory decoded" in cast(io.StringIO, screen.file).getvalue()


def broken_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report) -> tuple[int, str]:
    async def call(*_: object) -> DemoResult:
        return DemoResult(report, [], [])

    monkeypatch.setattr(demo_runner, "run_call", call)
    screen = console()
    code = run_demo(DemoOptions(seconds=1, output=tmp_path), screen)
    return code, screen.file.getvalue()  # type: ignore[attr-defined]


def test_a_call_where_nothing_arrives_ends_with_1_and_leaves_no_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "received.mkv"
    old.write_bytes(b"from an earlier run")
    code, shown = broken_call(tmp_path, monkeypatch, Report())
    assert code == 1
    assert "No video arrived." in shown
    assert not old.exists()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed"] is False
    assert any("recording" in one for one in report["failures"])


def test_a_call_without_a_playable_recording_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown = broken_call(tmp_path, monkeypatch, Report())
    assert code == 1
    assert "The recording does not play" in shown


async def test_what_an_input_lacks_is_stood_in_for(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mkv"
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    blind = tmp_path / "blind.wav"
    with av.open(str(blind), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        samples = av.AudioFrame(layout="mono", samples=960)
        samples.sample_rate = 48_000
        container.mux(sound.encode(samples))
        container.mux(sound.encode())
    for path, missing in ((silent, "no sound"), (blind, "no video")):
        source, notes = open_complete_source(str(path))
        try:
            assert source.video is not None
            assert source.audio is not None
            assert (await source.video.recv()).width in (64, 640)
            assert (await source.audio.recv()).sample_rate == 48_000
        finally:
            source.stop()
        assert missing in notes[0]


def test_an_input_that_is_no_media_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("not a film")
    with pytest.raises(SourceError, match="not a media file"):
        open_complete_source(str(path))
    with pytest.raises(SourceError, match="there is no file"):
        open_complete_source(str(tmp_path / "missing.mp4"))
