"""The figures of a demo call and the verdict on them: pure data, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

LEAST_SHARE_DECODED: Final = 0.5
"""Of the frames sent since the subscriber's first one; less does not count as "arrived", more is
not asked for, since a busy machine may fail to encode or decode at the pace of the source."""

LEAST_SHARE_RECOGNISED: Final = 0.5
"""Of the pictures bob received: else the check cannot tell this scene from noise."""


@dataclass(slots=True)
class TrackFigures:
    """One track. `frames_due`: sent since the first frame that the subscriber received."""

    frames_sent: int = 0
    frames_due: int = 0
    frames_received: int = 0
    frames_decoded: int = 0
    lost: int = 0
    bit_rate_kbps: float = 0.0


@dataclass(slots=True)
class SfuFigures:
    """What the SFU did, and what it could make of the frames it forwarded.

    `pictures_made`: how often its decoder gave any picture. `pictures_compared` and
    `pictures_recognised`: the same comparison with the sent pictures on what bob received, which
    shows that it would notice.
    """

    forwarded_packets: int = 0
    forwarded_bytes: int = 0
    tapped_frames: int = 0
    pictures_made: int = 0
    decodable_frames: int = 0
    pictures_compared: int = 0
    pictures_recognised: int = 0


@dataclass(slots=True)
class OutsiderFigures:
    """A user of the context who is no member of the room.

    `attempts`: the Bridge's answer to each way in; `refused`: whether it refused all of them.
    """

    refused: bool = False
    attempts: dict[str, str] = field(default_factory=dict)
    attempts_let_in: int = 0
    frames_tried: int = 0
    frames_decoded: int = 0


@dataclass(slots=True)
class LatencyFigures:
    """Milliseconds from handing a picture to the encoder to having it decoded."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> LatencyFigures:
        """Percentiles by nearest rank; all None without a sample."""
        if not seconds:
            return cls()
        ordered = sorted(seconds)
        return cls(*(round(_percentile(ordered, p) * 1000, 2) for p in (50, 95, 99)))


@dataclass(slots=True)
class Report:
    """Everything `build/demo/report.json` holds."""

    video: TrackFigures = field(default_factory=TrackFigures)
    audio: TrackFigures = field(default_factory=TrackFigures)
    undecryptable: int = 0
    replayed: int = 0
    sfu: SfuFigures = field(default_factory=SfuFigures)
    outsider: OutsiderFigures = field(default_factory=OutsiderFigures)
    latency_ms: LatencyFigures = field(default_factory=LatencyFigures)
    join_to_first_frame_ms: float | None = None
    srtp_profile: str = ""
    crypto_backend: str = ""
    seconds: float = 0.0
    private_metadata_read: bool = False
    passed: bool = False
    failures: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Fills `passed` and `failures`."""
        self.failures = failures(self)
        self.passed = not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return asdict(self)


def failures(report: Report) -> list[str]:
    """Returns a sentence for each thing that a working call would not show."""
    found: list[str] = []
    for name, track in (("video", report.video), ("audio", report.audio)):
        if track.frames_decoded == 0:
            found.append(f"No {name} arrived.")
        elif track.frames_decoded < LEAST_SHARE_DECODED * track.frames_due:
            found.append(
                f"Only {track.frames_decoded} of {track.frames_due} {name} frames were decoded."
            )
    if report.undecryptable:
        found.append(f"{report.undecryptable} frames did not decrypt.")
    if report.replayed:
        found.append(f"{report.replayed} frames came twice.")
    if not report.private_metadata_read:
        found.append("bob could not read the room's private metadata.")
    if not report.outsider.refused:
        found.append("mallory, who is no member, was not refused.")
    if report.outsider.frames_decoded:
        found.append(f"mallory decoded {report.outsider.frames_decoded} frames.")
    return found + _sfu_failures(report.sfu)


def _sfu_failures(sfu: SfuFigures) -> list[str]:
    found: list[str] = []
    if sfu.tapped_frames == 0:
        found.append("The tap on the SFU saw no frames, so it shows nothing.")
    if sfu.decodable_frames:
        found.append(f"The SFU could decode {sfu.decodable_frames} frames.")
    if sfu.pictures_recognised < LEAST_SHARE_RECOGNISED * sfu.pictures_compared:
        found.append(
            f"Only {sfu.pictures_recognised} of {sfu.pictures_compared} pictures that bob received"
            " look like the ones alice sent."
        )
    return found


def _percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
