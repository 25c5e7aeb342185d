"""Recordings of what a member receives: encoded frames into a file, without encoding again."""

from sealroom.recording.matroska import (
    MatroskaWriter,
    RecordingError,
    RecordingSummary,
    examine_recording,
)

__all__ = ["MatroskaWriter", "RecordingError", "RecordingSummary", "examine_recording"]
