"""Removing a member of a live call: when it can decrypt nothing more, and what others lose.

    python benchmarks/python/rotation.py [--participants 2,20,100] [--removals 3] [--packets 500]
        [--output FILE]

Bridge, SFU and all participants run in one process and share its cores, so the load is part of the
question. It is a quiet call: one publisher, whose small picture comes as often as `--packets`
forwarded packets per second allow, 20 times a second at most. The CPU that this takes is measured
before the removal (`quiet_cpu`, cores in use): where it nears the cores of the machine, the times
are those of a busy machine and say nothing of the rotation.

The publisher removes one member, by `update_stream_room`, at the default grace. Per removal:

* `switched_ms`: to the last frame under a key that the removed member holds. From then on it can
  decrypt nothing, even with the Bridge and the SFU on its side.
* `detached_ms`: to the last packet that its client took: with honest servers it is out by then.
* `lost`: frames sent and not decrypted by each other member, for whatever reason, from before the
  removal until after the end of the old epoch. All is muted and quiet when it is counted.
* `refused`: those of them that arrived and did not decrypt.
* `rotation_cpu_ms`: CPU time of the whole process (the Bridge, the SFU and every client, who each
  verify and open) until the new epoch is in use, less what the quiet call takes in that time.

Then the CPU time of the cryptography alone in rooms of 100 and 1000: the manager's record with its
sealed secrets, and the check and opening of one member.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

from sealroom.bridge import Bridge
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.client.events import KeyRotated
from sealroom.client.handles import TrackHandle
from sealroom.crypto.epoch import EpochId, new_epoch_secret, open_secret
from sealroom.crypto.room_record import (
    Member,
    VerifiedRecord,
    make_next_record,
    make_room,
    verify_first_record,
    verify_next_record,
)
from sealroom.errors import SealroomError
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse

HOST = ["127.0.0.1"]


class QuietTrack(VideoStreamTrack):
    """A small black picture, a few times a second: what is measured is not the decoders."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self._rate = rate
        self._count = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / self._rate)
        frame = VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = self._count, Fraction(1, self._rate)
        self._count += 1
        return frame


@dataclass
class RunningCall:
    """A publisher, and members who watch it."""

    room_id: str
    first: StreamApi
    tracks: list[TrackHandle]
    members: dict[str, StreamApi]  # the publisher is not among them

    async def mute(self, muted: bool) -> None:
        """Stop or go on; returns when the network is empty."""
        for track in self.tracks:
            await self.first.set_track_enabled(track, not muted)
        await asyncio.sleep(1)

    def sent(self) -> int:
        return sum(one.native.frames_sent for one in self.first.statistics(self.room_id).sent)

    def got(self, name: str) -> tuple[int, int]:
        """Frames that a member decrypted, and that it refused."""
        tracks = self.members[name].statistics(self.room_id).received
        return (
            sum(one.native.frames_received for one in tracks),
            sum(sum(one.native.rejected.values()) for one in tracks),
        )


@asynccontextmanager
async def open_call(participants: int, packets: int) -> AsyncIterator[RunningCall]:
    """A call whose publisher sends so seldom that `packets` per second are forwarded."""
    async with Bridge.embedded() as bridge, AsyncExitStack() as stack:
        context = await bridge.admin.context_create("rotation")
        names = [f"user{number}" for number in range(participants)]
        apis: dict[str, StreamApi] = {}
        for name in names:
            identity = Identity.generate()
            await bridge.admin.user_add(context.context_id, name, identity.public)
            connection = await Connection.connect(
                bridge.url,
                identity=identity,
                user_id=name,
                context_id=context.context_id,
                trust=TrustOnFirstUse(),
                room_pins=MemoryRoomPins(),
                request_timeout=60,
            )
            stack.push_async_callback(connection.close)
            apis[name] = StreamApi(connection, host_addresses=HOST)
            stack.push_async_callback(apis[name].close)
        first = apis.pop(names[0])
        room_id = await first.create_stream_room(context.context_id, users=names[1:])
        await first.join_stream_room(room_id)
        stream = await first.create_stream(room_id)
        rate = max(1, min(20, packets // (participants - 1)))
        tracks = [await stream.add_track(QuietTrack(rate))]
        await stream.publish()
        for api in apis.values():
            await api.join_stream_room(room_id)
            await api.subscribe_to_remote_streams(
                room_id, [StreamSubscription(stream_id=stream.stream_id)]
            )
        await asyncio.sleep(2)
        yield RunningCall(room_id, first, tracks, apis)


async def measure_calls(participants: int, removals: int, packets: int) -> dict[str, Any]:
    """Remove members one after the other, from as many calls as it takes."""
    results: list[dict[str, float]] = []
    while len(results) < removals:
        async with open_call(participants, packets) as call:
            for _ in range(min(removals - len(results), max(1, len(call.members) - 1))):
                results.append(await _remove(call))
    rows: dict[str, Any] = {"participants": participants, "removals": len(results)}
    for name in ("quiet_cpu", "switched_ms", "detached_ms", "rotation_cpu_ms"):
        rows[name] = round(statistics.median(one[name] for one in results), 2)
    rows["slowest_switched_ms"] = round(max(one["switched_ms"] for one in results), 1)
    for name in ("expected", "lost", "refused"):
        rows[name] = sum(one[name] for one in results)
    return rows


async def _remove(call: RunningCall) -> dict[str, float]:
    _, gone = call.members.popitem()
    switched: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()

    def watch(event: object) -> None:
        if isinstance(event, KeyRotated) and not switched.done():
            switched.set_result((time.perf_counter(), time.process_time()))

    await call.mute(True)
    sent_before = call.sent()
    got_before = {name: call.got(name) for name in call.members}
    await call.mute(False)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(2)
    quiet = (time.process_time() - cpu) / (time.perf_counter() - wall)

    stop = call.first.add_event_listener(watch)
    session = gone._session(call.room_id).receiving.subscriber
    assert session is not None
    packets = session.session.statistics().datagrams_received
    cpu = time.process_time()
    last_packet = started = time.perf_counter()
    update = asyncio.create_task(
        call.first.update_stream_room(call.room_id, users=list(call.members))
    )
    async with asyncio.timeout(60):
        while not (update.done() and switched.done()):
            try:
                now = session.session.statistics().datagrams_received
            except SealroomError:
                now = packets  # the removed one's client has closed its session
            if now != packets:
                last_packet, packets = time.perf_counter(), now
            await asyncio.sleep(0.002)
    await update
    stop()
    at, cpu_at = switched.result()
    await asyncio.sleep(2.5)  # past the end of the old epoch
    await call.mute(True)
    sent = call.sent() - sent_before
    lost = refused = 0
    for name, before in got_before.items():
        got = call.got(name)
        lost += sent - (got[0] - before[0])
        refused += got[1] - before[1]
    await call.mute(False)
    return {
        "quiet_cpu": quiet,
        "detached_ms": (last_packet - started) * 1000,
        "switched_ms": (at - started) * 1000,
        "rotation_cpu_ms": (cpu_at - cpu - quiet * (at - started)) * 1000,
        "expected": sent * len(got_before),
        "lost": lost,
        "refused": refused,
    }


def measure_cost(members: int) -> dict[str, Any]:
    """CPU time of one rotation."""
    identities = {f"user{number}": Identity.generate() for number in range(members)}
    author = identities["user0"]
    made = make_room(
        author,
        "user0",
        context_id="context",
        room_id="room",
        members=[
            Member(name, one.public, "manager" if name == "user0" else "user")
            for name, one in identities.items()
        ],
        policy={},
        public_meta=b"public",
        private_meta=b"private",
        secret=bytes(32),
        created_at=1,
    )
    previous = verify_first_record(
        made.record, context_id="context", room_id="room", author=author.public
    )
    makes, checks = [], []
    for _ in range(20):
        started = time.process_time()
        following = make_next_record(
            author,
            "user0",
            VerifiedRecord(previous.record, previous.payload),
            members=previous.record.members,
            identities={name: one.public for name, one in identities.items()},
            policy={},
            public_meta=b"public",
            private_meta=b"private",
            secrets={1: bytes(32)},
            next_secret=new_epoch_secret(),
            created_at=2,
        )
        makes.append(time.process_time() - started)
        started = time.process_time()
        verified = verify_next_record(previous, following.record, author.public)
        open_secret(
            [one for one in following.sealed_secrets if one.user_id == "user1"],
            EpochId("context", "room", 2),
            "user1",
            identities["user1"],
            verified.record.epoch_commitment,
        )
        checks.append(time.process_time() - started)
    return {
        "members": members,
        "rotate_cpu_ms": round(statistics.median(makes) * 1000, 2),
        "take_cpu_ms": round(statistics.median(checks) * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--participants", default="2,20,100")
    parser.add_argument("--removals", type=int, default=3)
    parser.add_argument("--packets", type=int, default=500, help="forwarded per second at most")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = [measure_cost(100), measure_cost(1000)]
    for count in map(int, options.participants.split(",")):
        results.append(asyncio.run(measure_calls(count, options.removals, options.packets)))
    for one in results:
        sys.stdout.write(json.dumps(one) + "\n")
    if options.output is not None:
        options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
