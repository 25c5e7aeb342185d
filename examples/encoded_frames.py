"""Encoded frames on their way: marked by the publisher, checked, thinned out and filed unopened.

python examples/encoded_frames.py FILE.mkv
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sealroom.client import RemoteTrack, StreamApi, StreamSubscription
from sealroom.media.frames import EncodedFrame
from sealroom.recording import MatroskaWriter

MARK = b"shop 17"


def mark(frame: EncodedFrame) -> EncodedFrame:
    """Before encryption: appends a mark, which is encrypted with the frame."""
    frame.data = bytes(frame.data) + MARK
    return frame


class Filing:
    """After decryption: takes the mark off, drops frames without it, writes the rest to a file."""

    def __init__(self, path: Path) -> None:
        self.writer = MatroskaWriter(path, ["video"])
        self.unmarked = 0

    def __call__(self, frame: EncodedFrame) -> EncodedFrame | None:
        data = bytes(frame.data)
        if not data.endswith(MARK):
            self.unmarked += 1
            return None  # dropped: no decoder sees it, and video goes on with a key frame
        frame.data = data[: -len(MARK)]
        self.writer.write(frame)
        return frame


class KeyFramesOnly:
    """Before encryption: sends key frames only, as for thumbnails; they come when asked for."""

    def __init__(self) -> None:
        self.skipped = 0

    def __call__(self, frame: EncodedFrame) -> EncodedFrame | None:
        if frame.is_key_frame:
            return frame
        self.skipped += 1
        return None


async def file_video(api: StreamApi, room_id: str, stream_id: str, path: Path) -> Filing:
    """Subscribes to a stream and files its video as it comes; nothing is decoded."""
    filing = Filing(path)

    def begin(remote: RemoteTrack) -> None:
        if remote.kind == "video":
            remote.set_encoded_frame_handler(filing)

    api.add_remote_stream_listener(room_id, begin, stream_id=stream_id)
    await api.subscribe_to_remote_streams(room_id, [StreamSubscription(stream_id)])
    return filing


async def main(path: Path) -> None:
    from stage import stage

    from sealroom.recording import examine_recording
    from sealroom.sources import open_source

    async with stage("alice", "bob") as (room_id, apis):
        source = open_source("test")
        assert source.video is not None
        assert source.audio is not None
        source.audio.stop()
        stream = await apis["alice"].create_stream(room_id)
        await stream.add_track(source.video, encoded_frame_handler=mark)
        await stream.publish()
        while not (streams := await apis["bob"].list_streams(room_id)):
            await asyncio.sleep(0.02)
        filing = await file_video(apis["bob"], room_id, streams[0].stream_id, path)
        while filing.writer.frames_written < 60:
            await asyncio.sleep(0.1)
        (received,) = apis["bob"].statistics(room_id).received
        filing.writer.close()
        print(f"{received.python.frames_decoded} decoded, {filing.unmarked} unmarked")
        print(f"{path}: {examine_recording(path)}")
        source.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
