"""Native objects shared by several Python threads: nothing is lost, doubled or torn."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

import pytest
from native_pair import KEY_SIZE, PROFILE, Pair, vp8_frame

from sealroom import errors, sframe
from sealroom._core.session import FrameReceived, MediaSession
from sealroom._core.sfu import Router

THREADS = 4
KEY = bytes(range(16))


def run_together(work: Callable[[int], None]) -> None:
    """Runs `work(0)` to `work(THREADS - 1)` at once and raises what any of them raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(THREADS)

    def run(index: int) -> None:
        try:
            barrier.wait()
            work(index)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("size", [100, 40_000], ids=["with the GIL", "without the GIL"])
def test_one_sframe_sender_never_spends_a_counter_twice(size: int) -> None:
    sender = sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=KEY)
    receiver = sframe.Receiver(suite=sframe.AES_128_GCM_SHA256_128)
    receiver.add_key(1, KEY)
    frames: list[list[bytes]] = [[] for _ in range(THREADS)]
    count = 200

    def protect(index: int) -> None:
        plaintext = bytes([index]) * size
        for _ in range(count):
            frames[index].append(sender.protect(plaintext))

    run_together(protect)
    assert sender.next_counter == THREADS * count
    opened = [receiver.unprotect(frame) for part in zip(*frames, strict=True) for frame in part]
    assert sorted(set(opened)) == [bytes([i]) * size for i in range(THREADS)]


def test_one_sframe_receiver_accepts_each_frame_in_one_thread_only() -> None:
    sender = sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=KEY)
    receiver = sframe.Receiver(suite=sframe.AES_128_GCM_SHA256_128)
    receiver.add_key(1, KEY)
    frames = [sender.protect(os.urandom(20_000)) for _ in range(200)]
    accepted = [0] * THREADS

    def unprotect(index: int) -> None:
        for frame in frames:
            with contextlib.suppress(errors.ReplayError):
                receiver.unprotect(frame)
                accepted[index] += 1

    run_together(unprotect)
    assert sum(accepted) == len(frames)


def test_frames_of_many_threads_arrive_whole_over_one_session() -> None:
    with contextlib.closing(Pair()) as pair:
        count = 40
        received: list[bytes] = []
        timestamp = iter(range(0, 10**9, 3000))
        lock = threading.Lock()
        sent: list[bytes] = []
        done = threading.Event()

        def work(index: int) -> None:
            if index == THREADS - 1:  # the link and the reader
                while not done.is_set() or len(received) < len(sent):
                    pair.carry()
                    for event in pair.bob.take_events():
                        if isinstance(event, FrameReceived):
                            received.append(event.data.tobytes())
                    if time.monotonic() > deadline:
                        return
                return
            for n in range(count):
                frame = vp8_frame(2000 + n)
                with lock:  # timestamps must rise in the order of sending
                    sent.append(frame)
                    pair.alice.send_frame(pair.sender, frame, rtp_timestamp=next(timestamp))
                pair.alice.sender_statistics(pair.sender)
                pair.alice.transport_statistics()
            with lock:
                if len(sent) == count * (THREADS - 1):
                    done.set()

        deadline = time.monotonic() + 20
        run_together(work)
        assert received == sent


def test_sessions_come_and_go_while_others_are_used() -> None:
    with contextlib.closing(Pair()) as pair:

        def work(index: int) -> None:
            for n in range(50):
                if index == 0:
                    pair.send(vp8_frame(3000))
                    pair.bob.take_events()
                elif index == 1:
                    pair.alice.set_pacing_rate(1_000_000 if n % 2 else None)
                else:
                    session = MediaSession()
                    session.start(
                        profile=PROFILE,
                        send_key=os.urandom(KEY_SIZE),
                        receive_key=os.urandom(KEY_SIZE),
                    )
                    session.add_receiver(payload_type=96, codec="vp8")
                    session.receive_datagram(os.urandom(100))
                    session.close()
                    session.take_events()

        run_together(work)


def test_closing_a_session_that_sends_ends_in_not_ready() -> None:
    pair = Pair()
    refused = [False] * THREADS

    def work(index: int) -> None:
        if index == 0:
            time.sleep(0.02)
            pair.alice.close()
            refused[0] = True
            return
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                pair.alice.send_frame(pair.sender, vp8_frame(20_000), rtp_timestamp=index)
                pair.alice.take_outgoing()
            except errors.NotReadyError:
                refused[index] = True
                return

    run_together(work)
    assert all(refused)
    pair.bob.close()


def test_one_router_serves_transports_made_by_many_threads() -> None:
    router = Router()

    def work(_: int) -> None:
        for _ in range(20):
            transport = router.create_transport(extensions={"mid": 1})
            transport.start(
                profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=os.urandom(KEY_SIZE)
            )
            producer = router.add_producer(transport, mid="m", ssrc=5, payload_type=96, codec="vp8")
            transport.receive_datagram(b"\x80\x60" + os.urandom(200))  # of no known key
            router.producer_statistics(producer)
            router.statistics()
            transport.transport_statistics()
            transport.close()

    run_together(work)
    assert router.statistics().packets_rejected == THREADS * 20
