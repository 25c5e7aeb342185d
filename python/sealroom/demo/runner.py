"""`sealroom demo`: runs the call, writes the files, shows the table, gives the exit code."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sealroom.demo.call import DemoOptions, DemoResult, run_call
from sealroom.demo.contact_sheet import draw_contact_sheet, write_png
from sealroom.demo.report import Report
from sealroom.demo.screen import DemoScreen, figures_table, result_table
from sealroom.recording import RecordingError, examine_recording


def run_demo(options: DemoOptions, console: Console) -> int:
    """Runs the demo; returns 0 if the call was what it should be, else 1.

    Raises:
        SealroomError: the call could not be held.
        OSError: the results cannot be written.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    for path in (options.report_file, options.picture_file, options.recording_file):
        path.unlink(missing_ok=True)  # nothing old may be taken for a result of this run
    with DemoScreen(console, options.seconds) as screen:
        result = asyncio.run(run_call(options, screen.step, screen.progress))
    report = result.report
    report.judge()
    _check_recording(report, options.recording_file)
    _write_results(options, result)
    _show(options, result, console)
    return 0 if report.passed else 1


def _check_recording(report: Report, path: Path) -> None:
    try:
        summary = examine_recording(path)
    except RecordingError as error:
        report.failures.append(f"The recording does not play: {error}.")
    else:
        if summary.video_frames == 0 or summary.audio_frames == 0:
            report.failures.append("The recording lacks video or audio.")
    report.passed = not report.failures


def _write_results(options: DemoOptions, result: DemoResult) -> None:
    report = result.report
    options.report_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    title = (
        f"sealroom demo: {report.video.frames_decoded} pictures decoded by bob,"
        f" {report.sfu.decodable_frames} of {report.sfu.tapped_frames} frames by the SFU"
    )
    write_png(options.picture_file, draw_contact_sheet(result.samples, title))


def _show(options: DemoOptions, result: DemoResult, console: Console) -> None:
    report = result.report
    console.print()
    console.print(result_table(report))
    console.print()
    console.print(figures_table(report))
    console.print()
    for note in result.notes:
        console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)
    for failure in report.failures:
        console.print(Text("FAILED ", "bold red") + Text(failure))
    if report.passed:
        console.print(
            Text("OK ", "bold green")
            + Text("Video and audio arrived, everything decrypted, mallory got nothing.")
        )
    files = (options.report_file, options.picture_file, options.recording_file)
    for path in files:
        console.print(f"    {path}", style="dim", markup=False, highlight=False, soft_wrap=True)
