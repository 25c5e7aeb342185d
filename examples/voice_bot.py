"""A bot that listens to everybody in a room and answers with sound; samples in, samples out.

python examples/voice_bot.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from av import AudioFrame, AudioResampler

from sealroom.client import RemoteTrack, StreamApi, StreamSubscription
from sealroom.client.errors import NotJoinedError, RequestRefusedError
from sealroom.client.events import (
    ParticipantLeft,
    RoomClosed,
    RoomDeleted,
    RoomExcluded,
    RoomLost,
    StreamPublished,
    StreamUpdated,
)
from sealroom.errors import InvalidArgumentError
from sealroom.sources import SoundTrack

RATE = 16_000
"""Samples a second, as recognizers of speech want them."""
QUIET = 0.01
PAUSE = 0.5
"""Seconds of quiet after which somebody has finished."""

Samples = npt.NDArray[np.float32]


class VoiceBot:
    """Speaks in a joined room; `answer` gets what somebody said and returns what to say."""

    def __init__(
        self, api: StreamApi, room_id: str, answer: Callable[[str, Samples], Samples]
    ) -> None:
        self.voice = SoundTrack(rate=RATE)
        self.muted: set[str] = set()
        self._api = api
        self._room_id = room_id
        self._answer = answer

    async def run(self) -> None:
        """Stays until everybody else has left, the room is over, or the bot is thrown out."""
        api, room_id = self._api, self._room_id
        async with asyncio.TaskGroup() as tasks:
            events = api.events()  # from here on none is missed
            stream = await api.create_stream(room_id, title="bot")
            await stream.add_track(self.voice, name="voice", source="microphone")
            await stream.publish()
            tasks.create_task(self._take_tracks(tasks))
            for one in await api.list_streams(room_id):
                await self._subscribe(one.stream_id, one.user_id)
            async for event in events:
                match event:
                    case StreamPublished(room_id=self._room_id, stream=published):
                        await self._subscribe(published.stream_id, published.user_id)
                    case StreamUpdated(room_id=self._room_id, stream=changed):
                        self._note_mute(changed.user_id, [t.enabled for t in changed.tracks])
                    case ParticipantLeft(room_id=self._room_id):
                        if len(api.list_participants(room_id)) == 1:
                            break
                    case (RoomClosed() | RoomDeleted() | RoomExcluded() | RoomLost()) as over:
                        if over.room_id == room_id:
                            return  # its tracks have ended
            await api.leave_stream_room(room_id)  # ends the tracks, and so the tasks

    async def _take_tracks(self, tasks: asyncio.TaskGroup) -> None:
        async for remote in self._api.remote_tracks(self._room_id):
            if remote.kind == "audio":
                tasks.create_task(self._listen(remote))

    async def _subscribe(self, stream_id: str, user_id: str) -> None:
        if user_id == self._api.connection.user_id:
            return
        try:
            await self._api.subscribe_to_remote_streams(
                self._room_id, [StreamSubscription(stream_id)]
            )
        except (InvalidArgumentError, NotJoinedError, RequestRefusedError):
            return  # it ended meanwhile, or the room did

    def _note_mute(self, user_id: str, enabled: list[bool]) -> None:
        if any(enabled):
            self.muted.discard(user_id)
        else:
            self.muted.add(user_id)
            self.voice.clear()  # nobody waits for this answer any more

    async def _listen(self, remote: RemoteTrack) -> None:
        resampler = AudioResampler("flt", "mono", RATE)
        said: list[Samples] = []
        quiet = 0.0
        async for frame in remote.frames():  # 48 kHz stereo; `frame.to_ndarray()` are its samples
            assert isinstance(frame.frame, AudioFrame)
            for part in resampler.resample(frame.frame):
                samples = part.to_ndarray().ravel().astype(np.float32)
                is_quiet = float(np.sqrt(np.mean(samples**2))) < QUIET
                quiet = quiet + len(samples) / RATE if is_quiet else 0.0
                if said or not is_quiet:
                    said.append(samples)
            if said and not quiet:
                self.voice.clear()  # who speaks is not interrupted
            if said and quiet >= PAUSE:
                speech, said = np.concatenate(said), []
                # In a thread: it may take long, and calls must go on.
                self.voice.push(await asyncio.to_thread(self._answer, remote.user_id, speech))


def backwards(user_id: str, speech: Samples) -> Samples:
    """Says it again, backwards."""
    return speech[::-1]


async def main() -> None:
    from stage import stage

    async with stage("alice", "bot") as (room_id, apis):
        bot = VoiceBot(apis["bot"], room_id, backwards)
        running = asyncio.create_task(bot.run())
        alice = apis["alice"]
        microphone = SoundTrack(rate=RATE)
        stream = await alice.create_stream(room_id)
        track = await stream.add_track(microphone, name="microphone")
        await stream.publish()
        time = np.arange(RATE) / RATE
        microphone.push(0.5 * np.sin(2 * np.pi * (300 + 300 * time) * time))  # a rising tone
        while not bot.voice.waiting:
            await asyncio.sleep(0.05)
        print(f"the bot answers with {bot.voice.waiting:.1f} s of sound")
        await track.set_enabled(False)
        while not bot.muted:
            await asyncio.sleep(0.05)
        print(f"muted: {bot.muted}, and the bot is silent: {not bot.voice.waiting}")
        await alice.leave_stream_room(room_id)
        await running
        print("the bot left")


if __name__ == "__main__":
    asyncio.run(main())
