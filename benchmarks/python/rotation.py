"""Removing a member of a live call: when it can decrypt nothing more, and what others lose.

    python benchmarks/python/rotation.py [--participants 2,20] [--removals 3] [--output FILE]

Bridge, SFU and all participants in one process. The first one publishes a small picture and, up to
20 participants, silence to all others, and removes one of them after the other. Per removal:

* `detached_ms`: from the call of `update_stream_room` to the last packet the removed one got.
* `switched_ms`: to the last frame under the key it holds, whoever carries frames to it.
* `lost`: frames that the others received and could not decrypt.

Then the CPU time of a rotation in a room of 100: the manager's record with its sealed secrets, and
the check and opening of one member.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import VideoFrame

from sealroom.bridge import Bridge
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.client.events import KeyRotated
from sealroom.crypto.epoch import EpochId, new_epoch_secret, open_secret
from sealroom.crypto.room_record import (
    Member,
    VerifiedRecord,
    make_next_record,
    make_room,
    verify_first_record,
    verify_next_record,
)
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


async def measure_call(participants: int, removals: int) -> dict[str, Any]:
    """Remove members of a call one after the other."""
    async with Bridge.embedded() as bridge:
        context = await bridge.admin.context_create("rotation")
        names = [f"user{number}" for number in range(participants)]
        apis: dict[str, StreamApi] = {}
        connections = []
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
            connections.append(connection)
            apis[name] = StreamApi(connection, host_addresses=HOST)
        first = apis[names[0]]
        room_id = await first.create_stream_room(context.context_id, users=names[1:])
        await first.join_stream_room(room_id)
        stream = await first.create_stream(room_id)
        await stream.add_track(QuietTrack(5 if participants > 20 else 20))
        if participants <= 20:
            await stream.add_track(AudioStreamTrack())
        await stream.publish()
        for name in names[1:]:
            await apis[name].join_stream_room(room_id)
            await apis[name].subscribe_to_remote_streams(
                room_id, [StreamSubscription(stream_id=stream.stream_id)]
            )
        await asyncio.sleep(3)
        members = names[1:]
        results = [
            await _remove(first, apis, room_id, members) for _ in range(min(removals, len(members)))
        ]
        for api in apis.values():
            await api.close()
        for connection in connections:
            await connection.close()
    return {
        "participants": participants,
        "removals": len(results),
        **{
            f"{name}_ms": round(statistics.median(one[name] for one in results), 1)
            for name in ("detached", "switched")
        },
        "slowest_switched_ms": round(max(one["switched"] for one in results), 1),
        "lost": sum(one["lost"] for one in results),
    }


async def _remove(
    first: StreamApi, apis: dict[str, StreamApi], room_id: str, members: list[str]
) -> dict[str, float]:
    removed = members.pop()
    loop = asyncio.get_running_loop()
    switched: asyncio.Future[float] = loop.create_future()

    def watch(event: object) -> None:
        if isinstance(event, KeyRotated) and not switched.done():
            switched.set_result(time.perf_counter())

    stop = first.add_event_listener(watch)
    session = apis[removed]._session(room_id).receiving.subscriber
    assert session is not None
    lost_before = sum(_undecryptable(apis[name], room_id) for name in members)
    started = time.perf_counter()
    last_packet, packets = started, session.session.statistics().datagrams_received
    update = asyncio.create_task(first.update_stream_room(room_id, users=members))
    while not (update.done() and switched.done()):
        try:
            now = session.session.statistics().datagrams_received
        except Exception:
            now = packets  # the removed one's client has closed its session
        if now != packets:
            last_packet, packets = time.perf_counter(), now
        await asyncio.sleep(0.001)
    await update
    stop()
    await asyncio.sleep(2.5)  # past the end of the old epoch
    lost = sum(_undecryptable(apis[name], room_id) for name in members) - lost_before
    return {
        "detached": (last_packet - started) * 1000,
        "switched": (switched.result() - started) * 1000,
        "lost": lost,
    }


def _undecryptable(api: StreamApi, room_id: str) -> int:
    return sum(sum(one.native.rejected.values()) for one in api.statistics(room_id).received)


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
    parser.add_argument("--participants", default="2,20")
    parser.add_argument("--removals", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results: list[dict[str, Any]] = [measure_cost(100), measure_cost(1000)]
    for count in map(int, options.participants.split(",")):
        results.append(asyncio.run(measure_call(count, options.removals)))
    for one in results:
        sys.stdout.write(json.dumps(one) + "\n")
    if options.output is not None:
        options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
