"""What the demo shows in the terminal: steps, live figures, the final table."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sealroom.demo.call import Progress as CallProgress
from sealroom.demo.report import Report


class DemoScreen:
    """Live display; use as a context manager. Plain lines when the output is no terminal."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("    "),
            BarColumn(40),
            TextColumn("{task.completed:4.1f} of {task.total:.0f} s"),
            console=console,
        )
        self._task = self._bar.add_task("call", total=seconds)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_live()

    def step(self, text: str) -> None:
        """Shows that a step begins."""
        self._end_live()
        self._console.print(Text("==> ", "bold cyan") + Text(text))

    def progress(self, progress: CallProgress) -> None:
        """Shows the figures so far."""
        if not self._console.is_terminal:
            return
        self._bar.update(self._task, completed=progress.seconds)
        content = Group(self._bar, _live_line(progress.report))
        if self._live is None:
            self._live = Live(content, console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(content, refresh=True)

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _live_line(report: Report) -> Text:
    video, audio, sfu, p50 = report.video, report.audio, report.sfu, report.latency_ms.p50
    return Text.assemble(
        "     video ",
        (f"{video.frames_decoded}/{video.frames_due}", "bold green"),
        "  audio ",
        (f"{audio.frames_decoded}/{audio.frames_due}", "bold green"),
        f"  undecryptable {report.undecryptable}  {'-' if p50 is None else f'{p50:.1f}'} ms",
        f"  SFU reads {sfu.decodable_frames}/{sfu.tapped_frames}",
    )


def result_table(report: Report) -> Table:
    """Returns the table of the finished call."""
    table = Table(title="The call", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("Video", justify="right")
    table.add_column("Audio", justify="right")
    video, audio = report.video, report.audio
    rows = [
        ("Frames sent", video.frames_sent, audio.frames_sent),
        ("  since bob's first frame", video.frames_due, audio.frames_due),
        ("Frames received", video.frames_received, audio.frames_received),
        ("Frames decoded", video.frames_decoded, audio.frames_decoded),
        ("Frames lost", video.lost, audio.lost),
        ("Bit rate, kbit/s", video.bit_rate_kbps, audio.bit_rate_kbps),
    ]
    for name, of_video, of_audio in rows:
        table.add_row(name, f"{of_video}", f"{of_audio}")
    return table


def figures_table(report: Report) -> Table:
    """Returns the figures of the call as a whole."""
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    table.add_column("", style="dim")
    table.add_column("")
    latency, sfu, outsider = report.latency_ms, report.sfu, report.outsider
    for name, value in (
        ("Undecryptable, replayed", f"{report.undecryptable}, {report.replayed}"),
        (
            "Latency, encode to decode",
            f"p50 {_ms(latency.p50)}, p95 {_ms(latency.p95)}, p99 {_ms(latency.p99)}",
        ),
        ("Join to first frame", _ms(report.join_to_first_frame_ms)),
        ("SRTP profile", report.srtp_profile or "-"),
        ("Crypto back end", report.crypto_backend or "-"),
        ("SFU forwarded", f"{sfu.forwarded_packets} packets, {sfu.forwarded_bytes / 1e6:.2f} MB"),
        ("SFU could decode", f"{sfu.decodable_frames} of {sfu.tapped_frames} tapped frames"),
        (
            "  the same check on bob's",
            f"{sfu.pictures_recognised} of {sfu.pictures_compared} pictures recognised",
        ),
        (
            "mallory got in",
            f"{outsider.attempts_let_in} of {len(outsider.attempts)} ways",
        ),
        ("mallory decoded", f"{outsider.frames_decoded} of {outsider.frames_tried} frames"),
    ):
        table.add_row(name, value)
    return table


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
