"""The verdict of the demo: what a working call shows, and each thing that must fail it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sealroom.demo.report import (
    LatencyFigures,
    OutsiderFigures,
    Report,
    SfuFigures,
    TrackFigures,
    failures,
)


def good_report() -> Report:
    return Report(
        video=TrackFigures(
            frames_sent=460, frames_due=450, frames_received=450, frames_decoded=449
        ),
        audio=TrackFigures(
            frames_sent=760, frames_due=750, frames_received=750, frames_decoded=750
        ),
        sfu=SfuFigures(
            forwarded_packets=3000,
            tapped_frames=1200,
            pictures_made=3,
            pictures_compared=45,
            pictures_recognised=45,
        ),
        outsider=OutsiderFigures(refused=True, attempts={"room.get": "ACCESS_DENIED"}),
        latency_ms=LatencyFigures.of([0.004, 0.005, 0.02]),
        join_to_first_frame_ms=200.0,
        private_metadata_read=True,
    )


def test_a_working_call_passes() -> None:
    report = good_report()
    report.judge()
    assert report.failures == []
    assert report.passed


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r: setattr(r.video, "frames_decoded", 0), "No video arrived"),
        (lambda r: setattr(r.audio, "frames_decoded", 0), "No audio arrived"),
        (lambda r: setattr(r.video, "frames_decoded", 224), "Only 224 of 450 video"),
        (lambda r: setattr(r, "undecryptable", 1), "1 frames did not decrypt"),
        (lambda r: setattr(r, "replayed", 2), "2 frames came twice"),
        (lambda r: setattr(r, "private_metadata_read", False), "private metadata"),
        (lambda r: setattr(r.outsider, "refused", False), "was not refused"),
        (lambda r: setattr(r.outsider, "frames_decoded", 1), "mallory decoded 1"),
        (lambda r: setattr(r.sfu, "decodable_frames", 1), "The SFU could decode 1"),
        (lambda r: setattr(r.sfu, "tapped_frames", 0), "saw no frames"),
        (lambda r: setattr(r.sfu, "pictures_recognised", 22), "Only 22 of 45 pictures"),
    ],
)
def test_one_thing_wrong_fails_the_call_and_is_named(
    spoil: Callable[[Report], None], told: str
) -> None:
    report = good_report()
    spoil(report)
    report.judge()
    assert not report.passed
    assert len(report.failures) == 1
    assert told in report.failures[0]


def test_a_call_that_never_began_fails_on_every_count() -> None:
    assert len(failures(Report())) >= 4


def test_the_report_has_the_promised_keys() -> None:
    report = json.loads(json.dumps(good_report().to_dict()))
    for path in (
        "video.frames_sent",
        "video.frames_decoded",
        "audio.frames_sent",
        "audio.frames_decoded",
        "undecryptable",
        "replayed",
        "sfu.forwarded_packets",
        "sfu.decodable_frames",
        "outsider.refused",
        "outsider.frames_decoded",
        "latency_ms.p50",
        "latency_ms.p95",
        "latency_ms.p99",
        "join_to_first_frame_ms",
        "srtp_profile",
        "crypto_backend",
    ):
        value = report
        for key in path.split("."):
            value = value[key]


def test_percentiles_are_by_nearest_rank() -> None:
    figures = LatencyFigures.of([number / 1000 for number in range(1, 101)])
    assert (figures.p50, figures.p95, figures.p99) == (50.0, 95.0, 99.0)
    assert LatencyFigures.of([]).p50 is None
    one = LatencyFigures.of([0.25])
    assert (one.p50, one.p95, one.p99) == (250.0, 250.0, 250.0)
