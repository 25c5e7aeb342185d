"""Our RTCP, NACKs, key-frame requests and RTX against GStreamer's rtpbin, over loopback UDP.

Both ways: a live VP8 pipeline that sends to our jitter buffer, and our packets into rtpbin's. Some
of the packets never leave; what rtpbin asks for, answers and reports is what the tests look at.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from payload_support import encoded_frames
from srtp_support import TIMEOUT, free_port, receiving_socket

from sealroom import jitter, rtp

PYTHON = "/usr/bin/python3"  # GStreamer's bindings are the system's
SSRC, RTX_SSRC, OUR_SSRC = 0xDECAF, 0xDECAF + 1, 0x5EA1
FRAMES = 60  # that have to come through
NAMES = {False: "same_stream", True: "rtx"}


@pytest.fixture(scope="module", autouse=True)
def gstreamer() -> None:
    probe = (
        "import gi; gi.require_version('GstVideo', '1.0')\n"
        "from gi.repository import Gst, GstVideo; Gst.init(None)\n"
        "names = ('rtpbin', 'rtprtxsend', 'rtprtxqueue', 'vp8enc', 'rtpvp8pay', 'appsink')\n"
        "assert all(Gst.ElementFactory.find(name) for name in names)"
    )
    found = Path(PYTHON).exists()
    if not found or subprocess.run([PYTHON, "-c", probe], capture_output=True).returncode != 0:
        pytest.skip("python3-gst-1.0 and gstreamer1.0-plugins-good are not installed")


class RtpBin:
    """The peer program and what it has said."""

    def __init__(self, **job: Any) -> None:
        self.process = subprocess.Popen(
            [PYTHON, str(Path(__file__).with_name("rtpbin_peer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[dict[str, Any]] = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.tell(json.dumps(job))

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def heard(self, kind: str) -> list[Any]:
        return [one[kind] for one in list(self.said) if kind in one]

    def source(self) -> dict[str, Any]:
        """What rtpbin last said of us."""
        told = self.heard("source")
        return dict(told[-1]) if told else {}


@contextlib.contextmanager
def rtpbin(**job: Any) -> Iterator[RtpBin]:
    peer = RtpBin(**job)
    try:
        wait(lambda: bool(peer.heard("ready")) or peer.process.poll() is not None)
        assert peer.process.poll() is None
        yield peer
    finally:
        peer.end()


def wait(done: Callable[[], bool], step: Callable[[], None] = lambda: time.sleep(0.02)) -> bool:
    """Steps until it is done; False after three times what a peer may take."""
    deadline = time.monotonic() + 3 * TIMEOUT
    while not done():
        if time.monotonic() > deadline:
            return False
        step()
    return True


def drain(sock: socket.socket) -> list[bytes]:
    packets = []
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            packets.append(sock.recv(65_536))
    return packets


class Receiver:
    """Takes what rtpbin sends, loses some of it, asks for it again, and reports."""

    def __init__(self, media: socket.socket, control: socket.socket, port: int) -> None:
        self.media, self.control, self.port = media, control, port
        # Patient: the machine may be busy, and nothing may be given up.
        self.buffer = jitter.VideoJitterBuffer(
            "vp8", ssrc=SSRC, max_gap_wait=10.0, nack_max_tries=100
        )
        self.is_lossy = True
        self.frames: list[jitter.VideoFrame] = []
        self.reports: list[rtp.SenderReport] = []
        self.names: set[str] = set()
        self.byes: list[int] = []
        self.sent_reports: set[tuple[int, int]] = set()
        self.report_came = 0.0
        self.packets = self.payload_bytes = self.lost = self.repeated = self.highest = 0

    def middle_of_report(self) -> int:
        return (self.reports[-1].ntp_time >> 16) & 0xFFFFFFFF if self.reports else 0

    def send(self, *feedback: bytes) -> None:
        report = rtp.ReportBlock(
            ssrc=SSRC,
            fraction_lost=64,
            cumulative_lost=self.lost,
            extended_highest_sequence=self.highest,
            jitter=33,
            last_sender_report=self.middle_of_report(),
            delay_since_last_sender_report=round(65536 * (time.monotonic() - self.report_came)),
        )
        self.sent_reports.add((report.extended_highest_sequence, report.last_sender_report))
        compound = rtp.write_receiver_report(rtp.ReceiverReport(sender=OUR_SSRC, reports=[report]))
        compound += rtp.write_source_description(OUR_SSRC, "receiver@test")
        self.control.sendto(compound + b"".join(feedback), ("127.0.0.1", self.port))

    def step(self) -> None:
        select.select([self.media, self.control], [], [], 0.02)
        now = time.monotonic()
        for packet in drain(self.media):
            self.take(packet, now)
        self.buffer.handle_timeout(now)
        numbers = self.buffer.take_nacks(now)
        if len(numbers):
            self.send(rtp.write_nack(OUR_SSRC, SSRC, numbers.tolist()))
        self.frames += self.buffer.pop()
        for compound in drain(self.control):
            for one in rtp.parse_rtcp(compound, strict=True):
                self.take_report(one, now)

    def take(self, packet: bytes, now: float) -> None:
        parsed = rtp.parse_rtp(packet)
        if parsed.ssrc == RTX_SSRC:
            assert parsed.payload_type == 97
            packet = rtp.unwrap_rtx(packet, ssrc=SSRC, payload_type=96)
            self.repeated += 1
        else:
            new = self.packets == 0 or (parsed.sequence_number - self.highest) % 65_536 < 32_768
            self.repeated += not new
            if new:
                self.highest = parsed.sequence_number
                self.packets += 1
                self.payload_bytes += len(parsed.payload)
                if self.is_lossy and self.frames and self.packets % 9 == 5:
                    self.lost += 1
                    return
        self.buffer.insert([packet], now)

    def take_report(self, one: object, now: float) -> None:
        if isinstance(one, rtp.SenderReport) and one.sender == SSRC:
            self.reports.append(one)
            self.report_came = now
        elif isinstance(one, rtp.SourceDescription):
            self.names.add(one.cname)
        elif isinstance(one, rtp.Bye):
            self.byes += one.sources


@pytest.mark.parametrize("rtx", NAMES, ids=NAMES.values())
def test_rtpbin_sends_again_what_we_lost_and_a_key_frame_when_we_ask(rtx: bool) -> None:
    port = free_port()
    with receiving_socket() as media, receiving_socket() as control:
        job = {"mode": "send", "rtx": rtx, "ssrc": SSRC, "rtx_ssrc": RTX_SSRC, "rtcp_in": port}
        job |= {
            "tell": OUR_SSRC,
            "rtp_out": media.getsockname()[1],
            "rtcp_out": control.getsockname()[1],
        }
        with rtpbin(**job) as peer:
            us = Receiver(media, control, port)
            assert wait(lambda: len(us.frames) >= FRAMES and us.lost > 10, us.step)
            us.is_lossy = False
            assert wait(lambda: us.buffer.statistics.packets_recovered == us.lost, us.step)
            assert us.repeated >= us.lost
            assert us.buffer.statistics.frames_dropped == 0
            # The encoder makes one key frame only, unless it is asked for another.
            assert [frame.is_key_frame for frame in us.frames].count(True) == 1
            us.send(rtp.write_picture_loss_indication(OUR_SSRC, SSRC))
            assert wait(lambda: sum(frame.is_key_frame for frame in us.frames) == 2, us.step)
            us.send(rtp.write_full_intra_request(OUR_SSRC, [(SSRC, 1)]))
            assert wait(lambda: sum(frame.is_key_frame for frame in us.frames) == 3, us.step)
            times = [frame.timestamp for frame in us.frames]
            steps = {(b - a) % 2**32 for a, b in itertools.pairwise(times)}
            assert steps <= {2999, 3000, 3001}  # no frame is missing

            assert wait(lambda: len(us.reports) >= 2, us.step)
            newest = us.reports[-1]
            assert 0 < newest.packet_count <= us.packets
            assert 0 < newest.octet_count <= us.payload_bytes
            ahead = (newest.rtp_timestamp - us.frames[-1].timestamp) % 2**32
            assert min(ahead, 2**32 - ahead) < 10 * 90_000  # of the media's time line
            seconds = (us.reports[-1].ntp_time - us.reports[0].ntp_time) / 2**32
            ticks = (us.reports[-1].rtp_timestamp - us.reports[0].rtp_timestamp) % 2**32
            assert ticks / 90_000 == pytest.approx(seconds, abs=0.1)
            assert us.names - {""}

            # And what we report arrives.
            us.send()
            assert wait(lambda: peer.source().get("rb-packetslost") == us.lost, us.step)
            told = peer.source()
            assert told["rb-ssrc"] == SSRC
            assert (told["rb-exthighestseq"], told["rb-lsr"]) in us.sent_reports
            assert told["rb-packetslost"] == us.lost
            assert told["rb-fractionlost"] == 64
            assert told["rb-jitter"] == 33
            assert 0 <= told["rb-round-trip"] < 5 * 65_536  # 1/65536 s
            assert told["cname"] == "receiver@test"
            peer.tell("bye")
            assert wait(lambda: SSRC in us.byes, us.step)


class Sender:
    """Sends VP8 to rtpbin, keeps some packets back until they are asked for, and reports."""

    def __init__(self, media: socket.socket, control: socket.socket, job: dict[str, Any]) -> None:
        self.media, self.control, self.job = media, control, job
        self.sent: dict[int, bytes] = {}  # by sequence number
        self.kept_back: set[int] = set()
        self.asked: list[int] = []
        self.requests = self.octets = self.next_rtx = 0
        self.blocks: list[rtp.ReportBlock] = []
        self.names: set[str] = set()
        self.packetizer = rtp.Packetizer("vp8")
        self.ntp_time = 0
        self.reported: set[int] = set()  # as a report block names a report

    def send_frame(self, index: int, frame: bytes) -> None:
        payloads = self.packetizer.packetize(frame, 600)
        for i, payload in enumerate(payloads):
            number = (65_500 + len(self.sent)) & 0xFFFF
            packet = rtp.serialize_rtp(
                payload,
                payload_type=96,
                sequence_number=number,
                timestamp=3000 * index,
                ssrc=SSRC,
                marker=i == len(payloads) - 1,
            )
            self.sent[number] = packet
            self.octets += len(payload)
            if len(self.sent) % 9 == 5:
                self.kept_back.add(number)
            else:
                self.media.sendto(packet, ("127.0.0.1", self.job["rtp_in"]))

    def report(self, index: int) -> None:
        self.ntp_time = int((time.time() + 2_208_988_800) * 2**32)
        self.reported.add((self.ntp_time >> 16) & 0xFFFFFFFF)
        report = rtp.SenderReport(
            sender=SSRC,
            ntp_time=self.ntp_time,
            rtp_timestamp=3000 * index,
            packet_count=len(self.sent),
            octet_count=self.octets,
        )
        compound = rtp.write_sender_report(report) + rtp.write_source_description(SSRC, "us@test")
        self.control.sendto(compound, ("127.0.0.1", self.job["rtcp_in"]))

    def answer(self) -> None:
        """For 30 ms, what rtpbin asks for."""
        until = time.monotonic() + 0.03
        while (left := until - time.monotonic()) > 0:
            select.select([self.control], [], [], left)
            for compound in drain(self.control):
                for one in rtp.parse_rtcp(compound, strict=True):
                    self.take(one)

    def take(self, one: object) -> None:
        if isinstance(one, rtp.Nack):
            assert one.media == SSRC
            self.asked += one.sequence_numbers
            for number in one.sequence_numbers:
                self.send_again(number)
        elif isinstance(one, rtp.PictureLossIndication):
            assert one.media == SSRC
            self.requests += 1
        elif isinstance(one, rtp.ReceiverReport | rtp.SenderReport):
            self.blocks += [block for block in one.reports if block.ssrc == SSRC]
        elif isinstance(one, rtp.SourceDescription):
            self.names.add(one.cname)

    def send_again(self, number: int) -> None:
        packet = self.sent.get(number)
        if packet is None:
            return  # it asks ahead of what was sent where it expects a packet by now
        if self.job["rtx"]:
            packet = rtp.wrap_rtx(
                packet, ssrc=RTX_SSRC, payload_type=97, sequence_number=self.next_rtx
            )
            self.next_rtx += 1
        self.media.sendto(packet, ("127.0.0.1", self.job["rtp_in"]))


@pytest.mark.parametrize("rtx", NAMES, ids=NAMES.values())
def test_rtpbin_asks_us_for_what_it_misses_and_gets_every_frame(rtx: bool) -> None:
    port = free_port()
    with receiving_socket() as media, receiving_socket() as control:
        job = {"mode": "receive", "rtx": rtx, "ssrc": SSRC, "rtx_ssrc": RTX_SSRC}
        job |= {
            "tell": SSRC,
            "rtp_in": port,
            "rtcp_in": port + 1,
            "rtcp_out": control.getsockname()[1],
        }
        with rtpbin(**job) as peer:
            us = Sender(media, control, job)
            frames = encoded_frames("vp8", FRAMES)
            for index, frame in enumerate(frames):
                us.send_frame(index, frame)
                if index % 10 == 0:
                    us.report(index)
                us.answer()
            digests = [hashlib.sha256(frame).hexdigest() for frame in frames]
            assert wait(lambda: peer.heard("frame") == digests, us.answer), (
                len(peer.heard("frame")),
                len(digests),
            )
            assert len(us.kept_back) > 10
            assert us.kept_back <= set(us.asked)

            # It reports every few seconds, on what has come since.
            numbers = iter(range(FRAMES, 10_000))

            def go_on() -> None:
                number = next(numbers)
                us.send_frame(number, frames[-1])
                us.report(number)
                us.answer()

            assert wait(lambda: any(one.last_sender_report for one in us.blocks), go_on)

            peer.tell("key_frame")
            assert wait(lambda: us.requests > 0, us.answer)
            # Its view of our reports, and its own reports of us.
            last = next(numbers)
            us.report(last)
            assert wait(lambda: peer.source().get("sr-ntptime") == us.ntp_time, us.answer)
            told = peer.source()
            assert told["sr-rtptime"] == 3000 * last
            assert told["sr-packet-count"] == len(us.sent)
            assert told["sr-octet-count"] == us.octets
            assert told["cname"] == "us@test"
            blocks = [block for block in us.blocks if block.last_sender_report]
            assert {block.last_sender_report for block in blocks} <= us.reported
            assert all(block.extended_highest_sequence & 0xFFFF in us.sent for block in us.blocks)
            assert all(block.delay_since_last_sender_report < 60 * 65_536 for block in us.blocks)
            assert us.names - {""}
            bye = rtp.write_receiver_report(rtp.ReceiverReport(sender=SSRC))
            bye += rtp.write_source_description(SSRC, "us@test") + rtp.write_bye(SSRC)
            us.control.sendto(bye, ("127.0.0.1", job["rtcp_in"]))
            assert wait(lambda: SSRC in peer.heard("bye"), us.answer)
