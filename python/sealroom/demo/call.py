"""Runs the demo call from beginning to end and measures it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from sealroom.bridge import Bridge
from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.bridge.server import RunningBridge
from sealroom.crypto.signed_object import read_unverified
from sealroom.demo.observer import SfuObserver
from sealroom.demo.outsider import try_to_decode, try_to_enter
from sealroom.demo.people import PRIVATE_META, Company, gather_company, make_room
from sealroom.demo.publisher import DemoPublisher
from sealroom.demo.report import LatencyFigures, OutsiderFigures, Report, SfuFigures, TrackFigures
from sealroom.demo.subscriber import DemoSubscriber, Sample
from sealroom.protocol import RoomParams, StreamAnnouncement, StreamListResult
from sealroom.sources import TEST_SOURCE, MediaSource, open_source

FIRST_PICTURE_TIMEOUT: Final = 20.0
TICK: Final = 0.25
DRAIN_TIMEOUT: Final = 3.0
SAMPLES: Final = 6
LIVE_LATENCIES: Final = 900
"""The latest 30 s stand in the live line; the report has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to run: length in seconds, "test" or a media file, folder for the results."""

    seconds: float = 15.0
    source: str = TEST_SOURCE
    output: Path = Path("build/demo")

    @property
    def report_file(self) -> Path:
        return self.output / "report.json"

    @property
    def picture_file(self) -> Path:
        return self.output / "received.png"

    @property
    def recording_file(self) -> Path:
        return self.output / "received.mkv"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the call is: seconds of it, and the figures so far."""

    seconds: float
    report: Report


@dataclass(slots=True)
class DemoResult:
    """The measured call, before it is judged."""

    report: Report
    samples: list[Sample]
    notes: list[str]


StepListener = Callable[[str], None]
ProgressListener = Callable[[Progress], None]


async def run_call(
    options: DemoOptions, on_step: StepListener, on_progress: ProgressListener
) -> DemoResult:
    """Holds the whole call on this machine; `on_step` is told each step before it begins.

    Raises:
        SealroomError: the source cannot be opened, or a step of the call fails.
    """
    source, notes = open_complete_source(options.source)
    try:
        on_step("Starting a Bridge inside this program")
        async with Bridge.embedded() as bridge:
            company = await gather_company(bridge)
            try:
                call = DemoCall(options, bridge, company, source, on_step, on_progress)
                report = await call.run()
            finally:
                await company.leave()
        return DemoResult(report, call.samples, notes)
    finally:
        source.stop()


def open_complete_source(name: str) -> tuple[MediaSource, list[str]]:
    """Opens a source; the test picture or tone stands in for a kind that a file lacks."""
    source = open_source(name)
    if source.video is not None and source.audio is not None:
        return source, []
    stand_in = open_source(TEST_SOURCE)
    assert stand_in.video is not None
    assert stand_in.audio is not None
    if source.video is None:
        stand_in.audio.stop()
        return MediaSource(stand_in.video, source.audio), [f"{name} has no video: test picture."]
    stand_in.video.stop()
    return MediaSource(source.video, stand_in.audio), [f"{name} has no sound: test tone."]


class DemoCall:
    """One call: alice publishes, bob watches, mallory tries, the SFU is tapped."""

    def __init__(
        self,
        options: DemoOptions,
        bridge: RunningBridge,
        company: Company,
        source: MediaSource,
        on_step: StepListener,
        on_progress: ProgressListener,
    ) -> None:
        self.samples: list[Sample] = []
        self._options = options
        self._company = company
        self._source = source
        self._on_step = on_step
        self._on_progress = on_progress
        self._media = cast(EmbeddedMediaServer, bridge.media)
        self._observer = SfuObserver()
        self._report = Report()

    async def run(self) -> Report:
        """Returns the figures."""
        people = self._company.people
        self._on_step("alice makes a room for herself and bob")
        room_id = await make_room(self._company)
        alice = DemoPublisher(people["alice"].api, room_id, self._source)
        self._on_step("alice joins and publishes")
        await people["alice"].api.join_stream_room(room_id)
        await alice.publish()
        announcement = await self._announcement(room_id)
        self._tap(alice)
        self._on_step("mallory, who is no member, tries to get in")
        outsider = await self._try_to_enter(alice, room_id)
        bob = DemoSubscriber(
            people["bob"].api,
            room_id,
            sent=alice.logs,
            observer=self._observer,
            recording=self._options.recording_file,
            sample_times=[self._options.seconds * n / SAMPLES for n in range(SAMPLES)],
        )
        self._on_step("bob joins and subscribes")
        await bob.join()
        if await bob.first_picture(FIRST_PICTURE_TIMEOUT):
            self._on_step("The call")
            await self._hold_call(alice, bob)
        self._on_step("The call ends")
        await self._end(alice, bob)
        self._on_step("mallory gets all that the SFU had, and tries to decode it")
        await self._try_to_decode(outsider, alice, announcement)
        return self._report

    async def _announcement(self, room_id: str) -> StreamAnnouncement:
        """Returns alice's, as the Bridge tells it to those in the room."""
        connection = self._company.people["alice"].connection
        listed = await connection.call("stream.list", RoomParams(room_id=room_id), StreamListResult)
        [view] = listed.streams
        return read_unverified(view.announcement, StreamAnnouncement)

    def _tap(self, alice: DemoPublisher) -> None:
        assert alice.stream is not None
        for kind, handle in alice.handles.items():
            tap = self._media.tap(alice.stream.stream_id, handle.track_id)
            self._observer.add(tap, alice.logs[kind])
        self._observer.start()

    async def _try_to_enter(self, alice: DemoPublisher, room_id: str) -> OutsiderFigures:
        assert alice.stream is not None
        connection = self._company.people["mallory"].connection
        track_ids = [handle.track_id for handle in alice.handles.values()]
        return await try_to_enter(connection, room_id, alice.stream.stream_id, track_ids)

    async def _try_to_decode(
        self, outsider: OutsiderFigures, alice: DemoPublisher, announcement: StreamAnnouncement
    ) -> None:
        await try_to_decode(
            outsider,
            announcement,
            self._company.people["alice"].identity.public.fingerprint,
            {kind: handle.track_id for kind, handle in alice.handles.items()},
            self._observer.stolen,
        )
        self._report.outsider = outsider

    async def _hold_call(self, alice: DemoPublisher, bob: DemoSubscriber) -> None:
        begin = time.monotonic()
        while (seconds := time.monotonic() - begin) < self._options.seconds:
            if alice.has_ended:
                break
            await asyncio.sleep(min(TICK, self._options.seconds - seconds))
            bob.match_samples()
            self._measure(alice, bob, time.monotonic() - begin)
            self._on_progress(Progress(time.monotonic() - begin, self._report))

    async def _end(self, alice: DemoPublisher, bob: DemoSubscriber) -> None:
        await alice.finish()
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while time.monotonic() < deadline and not self._is_drained(alice, bob):
            await asyncio.sleep(0.05)
        await self._observer.stop()
        bob.match_samples()
        self._measure(alice, bob, self._report.seconds)
        self._report.latency_ms = LatencyFigures.of(bob.latencies)
        self.samples = bob.samples
        await bob.finish()

    def _is_drained(self, alice: DemoPublisher, bob: DemoSubscriber) -> bool:
        return all(
            bob.decoded[kind] >= log.count_since(bob.first_timestamps.get(kind))
            for kind, log in alice.logs.items()
        )

    def _measure(self, alice: DemoPublisher, bob: DemoSubscriber, seconds: float) -> None:
        report = self._report
        report.seconds = round(seconds, 2)
        report.video = _track_figures("video", alice, bob, seconds)
        report.audio = _track_figures("audio", alice, bob, seconds)
        received = [one for one in map(bob.statistics, ("video", "audio")) if one is not None]
        reasons: dict[str, int] = {}
        for one in received:
            for reason, count in one.native.rejected.items():
                reasons[reason] = reasons.get(reason, 0) + count
        report.replayed = reasons.pop("replayed", 0)
        report.undecryptable = sum(reasons.values())
        report.latency_ms = LatencyFigures.of(bob.latencies[-LIVE_LATENCIES:])
        if bob.join_to_first_picture is not None:
            report.join_to_first_frame_ms = round(bob.join_to_first_picture * 1000, 1)
        report.private_metadata_read = bob.private_meta == PRIVATE_META
        statistics = bob.room_statistics()
        report.srtp_profile = statistics.subscriber_srtp_profile or ""
        report.crypto_backend = statistics.crypto_backend
        report.sfu = self._sfu_figures(bob)

    def _sfu_figures(self, bob: DemoSubscriber) -> SfuFigures:
        counts = self._observer.counts.values()
        totals = self._media.statistics()
        return SfuFigures(
            forwarded_packets=totals.forwarded_packets,
            forwarded_bytes=totals.forwarded_bytes,
            tapped_frames=sum(one.tapped for one in counts),
            pictures_made=sum(one.pictures for one in counts),
            decodable_frames=sum(one.decodable for one in counts),
            pictures_compared=bob.pictures_compared,
            pictures_recognised=bob.pictures_recognised,
        )


def _track_figures(
    kind: str, alice: DemoPublisher, bob: DemoSubscriber, seconds: float
) -> TrackFigures:
    sent, received = alice.statistics(kind), bob.statistics(kind)
    figures = TrackFigures(frames_decoded=bob.decoded[kind])
    if sent is not None:
        figures.frames_sent = sent.python.frames_sent
    if received is not None:
        figures.frames_received = received.python.frames_received
        figures.bit_rate_kbps = round(
            received.native.bytes_received * 8 / 1000 / max(seconds, 1), 1
        )
    figures.frames_due = alice.logs[kind].count_since(bob.first_timestamps.get(kind))
    figures.lost = max(0, figures.frames_due - figures.frames_received)
    return figures
