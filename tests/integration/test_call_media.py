"""Calls through an embedded Bridge: frames in, frames out, and nobody in between reads them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from call_support import (
    Call,
    StripeTrack,
    eventually,
    open_call,
    publish,
    received,
    shows_stripes,
    take,
)

from sealroom.client import RemoteTrack, StreamSubscription
from sealroom.client.errors import AccessDeniedError, NotJoinedError, StreamStateError
from sealroom.media.codecs import DecodeError
from sealroom.media.frames import EncodedFrame
from sealroom.media.video_codecs import VideoDecoder


async def test_video_and_audio_arrive_decoded_and_all_of_it_decrypts(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await publish(alice, call.room_id, audio=True)
    tracks = await call.subscribe("bob", stream)
    video, audio = await asyncio.gather(take(tracks["camera"], 30), take(tracks["microphone"], 50))
    assert all(shows_stripes(frame) for frame in video)
    assert [frame.to_ndarray().shape for frame in audio[:2]] == [(960, 2)] * 2
    times = [frame.time for frame in video]
    assert times == sorted(set(times))
    for name in tracks:
        statistics = received(call, "bob", name)
        assert not any(statistics.native.rejected.values())
        assert statistics.python.frames_rejected == statistics.python.decode_errors == 0
    assert call.apis["bob"].statistics(call.room_id).subscriber_srtp_profile == "AEAD_AES_256_GCM"
    sent = {one.kind: one.python.frames_sent for one in alice.statistics(call.room_id).sent}
    assert sent["video"] >= 30
    assert sent["audio"] >= 50


async def test_what_the_media_server_forwards_is_ciphertext(call: Call) -> None:
    clear: list[bytes] = []

    def remember(frame: EncodedFrame) -> EncodedFrame:
        clear.append(bytes(frame.data))
        return frame

    stream = await publish(call.apis["alice"], call.room_id, encoded_frame_handler=remember)
    tracks = await call.subscribe("bob", stream)
    track_id = tracks["camera"].track_id
    tap = call.bridge.media.tap(stream.stream_id, track_id)  # type: ignore[attr-defined]
    await take(tracks["camera"], 20)
    tapped = [bytes(frame.data) for frame in tap.take_frames()]
    tap.close()
    assert len(tapped) >= 10
    assert not set(tapped) & set(clear)
    # Neither a whole frame nor a run of 16 bytes of one is to be seen beyond the clear prefix.
    runs = {one[i : i + 16] for one in clear for i in range(10, len(one) - 16, 7)}
    assert not any(one[i : i + 16] in runs for one in tapped for i in range(10, len(one) - 16))
    decoder = VideoDecoder("vp8")
    pictures = 0
    for frame in tapped:
        try:
            shown = [one.to_ndarray(format="rgb24") for one in decoder.decode(frame)]
        except DecodeError:
            continue
        pictures += sum(
            np.median(one[:, :56]) < 30 and abs(np.median(one[:, 72:]) - 200) < 20
            for one in shown
            if one.shape == (96, 128, 3)
        )
    assert pictures == 0


async def test_an_outsider_is_refused_everything(call: Call) -> None:
    await publish(call.apis["alice"], call.room_id)
    mallory = await call.add("mallory")
    with pytest.raises(AccessDeniedError):
        await mallory.join_stream_room(call.room_id)
    with pytest.raises(NotJoinedError):
        await mallory.list_streams(call.room_id)


async def test_several_subscribers_receive_the_same_stream() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        tracks = [await call.subscribe(name, stream) for name in ("bob", "carol")]
        for frames in await asyncio.gather(*(take(one["camera"], 15) for one in tracks)):
            assert all(shows_stripes(frame) for frame in frames)


async def test_both_publish_and_each_receives_the_other(call: Call) -> None:
    first = await publish(call.apis["alice"], call.room_id, grey=120)
    second = await publish(call.apis["bob"], call.room_id, grey=220)
    at_bob = await call.subscribe("bob", first)
    at_alice = await call.subscribe("alice", second)
    one, other = await asyncio.gather(take(at_bob["camera"], 15), take(at_alice["camera"], 15))
    assert shows_stripes(one[-1], 120)
    assert shows_stripes(other[-1], 220)


async def test_a_late_subscriber_begins_with_a_key_frame(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    await asyncio.sleep(1.5)
    tracks = await call.subscribe("bob", stream)
    assert shows_stripes((await take(tracks["camera"], 1, seconds=5))[0])


async def test_several_streams_of_one_participant_share_its_connection(call: Call) -> None:
    alice = call.apis["alice"]
    first = await publish(alice, call.room_id, grey=120)
    at_bob = await call.subscribe("bob", first)
    await take(at_bob["camera"], 5)
    second = await publish(alice, call.room_id, grey=220)
    more = await call.subscribe("bob", second)
    one, other = await asyncio.gather(take(at_bob["camera"], 15), take(more["camera"], 15))
    assert shows_stripes(one[-1], 120)
    assert shows_stripes(other[-1], 220)
    await first.unpublish()
    await take(more["camera"], 15)


async def test_unpublishing_ends_the_remote_tracks_and_one_can_publish_again(call: Call) -> None:
    for grey in (120, 220):
        stream = await publish(call.apis["alice"], call.room_id, grey=grey, audio=True)
        tracks = await call.subscribe("bob", stream)
        assert shows_stripes((await take(tracks["camera"], 10))[-1], grey)
        readers = [asyncio.create_task(drain(one)) for one in tracks.values()]
        await stream.unpublish()
        await asyncio.wait_for(asyncio.gather(*readers), 10)
        with pytest.raises(StreamStateError):
            await stream.publish()


async def drain(remote: RemoteTrack) -> None:
    async for _ in remote.frames():
        pass


async def test_unsubscribing_ends_a_track_and_one_can_subscribe_again(call: Call) -> None:
    bob = call.apis["bob"]
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 5)
    reader = asyncio.create_task(drain(tracks["camera"]))
    only_video = [StreamSubscription(stream.stream_id, tracks["camera"].track_id)]
    await bob.unsubscribe_from_remote_streams(call.room_id, only_video)
    await asyncio.wait_for(reader, 10)
    await take(tracks["microphone"], 20)
    await bob.subscribe_to_remote_streams(call.room_id, only_video)
    again = next(
        one for one in bob._session(call.room_id).receiving.remote_tracks() if one.name == "camera"
    )
    assert again is not tracks["camera"]
    assert shows_stripes((await take(again, 10))[-1])


async def test_listeners_and_iterators_hear_of_every_track(call: Call) -> None:
    bob = call.apis["bob"]
    heard: list[RemoteTrack] = []
    stop = bob.add_remote_stream_listener(call.room_id, heard.append)
    iterator = bob.remote_tracks(call.room_id)
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    tracks = await call.subscribe("bob", stream)
    assert {one.name for one in heard} == {"camera", "microphone"}
    assert [await anext(iterator), await anext(iterator)] == heard
    late: list[RemoteTrack] = []
    bob.add_remote_stream_listener(call.room_id, late.append, stream_id=stream.stream_id)
    bob.add_remote_stream_listener(call.room_id, late.append, stream_id="another")
    assert late == list(tracks.values())
    stop()
    await bob.leave_stream_room(call.room_id)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(iterator), 5)


async def test_handlers_see_and_replace_frames_before_and_after_encryption(call: Call) -> None:
    mark = b"marked by alice"

    def add_mark(frame: EncodedFrame) -> EncodedFrame:
        assert frame.kind == "video"
        return replace(frame, data=bytes(frame.data) + mark)

    stripped: list[bool] = []

    async def take_mark_off(frame: EncodedFrame) -> EncodedFrame:
        data = bytes(frame.data)
        stripped.append(data.endswith(mark))
        return replace(frame, data=data.removesuffix(mark))

    stream = await publish(call.apis["alice"], call.room_id, encoded_frame_handler=add_mark)
    tracks = await call.subscribe("bob", stream)
    tracks["camera"].set_encoded_frame_handler(take_mark_off)
    frames = await take(tracks["camera"], 15)
    assert shows_stripes(frames[-1])
    assert len(stripped) >= 15
    assert all(stripped)


async def test_encoded_frames_can_be_read_instead_of_decoded_ones(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    decoder, pictures = VideoDecoder("vp8"), 0
    async with asyncio.timeout(15):
        async for frame in tracks["camera"].encoded_frames():
            if pictures or frame.is_key_frame:
                pictures += len(list(decoder.decode(frame.data)))
            if pictures == 10:
                break


async def test_a_reader_that_never_reads_costs_a_bounded_queue(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    tracks = await call.subscribe("bob", stream)
    unread = [tracks["camera"].frames(), tracks["microphone"].frames()]
    await eventually(
        lambda: received(call, "bob", "microphone").python.frames_dropped > 5, seconds=20
    )
    unread.clear()
    assert shows_stripes((await take(tracks["camera"], 5))[-1])


async def test_leaving_and_joining_again_works(call: Call) -> None:
    bob = call.apis["bob"]
    stream = await publish(call.apis["alice"], call.room_id)
    for _ in range(2):
        tracks = await call.subscribe("bob", stream)
        assert shows_stripes((await take(tracks["camera"], 5))[-1])
        await bob.leave_stream_room(call.room_id)
        await bob.join_stream_room(call.room_id)


async def test_the_portable_fallback_carries_the_same_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sealroom.media.socket_takeover.SUPPORTED", False)
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id, audio=True)
        tracks = await call.subscribe("bob", stream)
        video, _ = await asyncio.gather(take(tracks["camera"], 15), take(tracks["microphone"], 25))
        assert shows_stripes(video[-1])
        session = call.apis["bob"]._session(call.room_id)
        assert session.receiving.subscriber is not None
        assert not session.receiving.subscriber.peer.transport.is_taken_over


async def test_a_source_that_ends_leaves_the_stream_published(call: Call) -> None:
    alice = call.apis["alice"]
    source = StripeTrack()
    stream = await alice.create_stream(call.room_id)
    await stream.add_track(source, name="camera")
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 5)
    source.stop()
    await asyncio.sleep(0.2)
    assert [one.stream_id for one in await alice.list_streams(call.room_id)] == [stream.stream_id]
    await stream.unpublish()
    assert await alice.list_streams(call.room_id) == []
