"""Two of our peers over aiortc's ICE and DTLS, with end-to-end encryption."""

import asyncio
import random
import secrets

import pytest
from media_support import until


async def call(one, two, *, key, other_key=None):
    """The first peer offers and sends both kinds."""
    one.add_sections("sendonly")
    await two.peer.accept_offer(await one.peer.create_offer())
    two.add_receivers(other_key or key)
    await one.peer.accept_answer(await two.peer.create_answer())
    await asyncio.gather(one.peer.connected(), two.peer.connected())
    one.start_senders(key)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
async def test_encrypted_media_arrives(native_peer, takeover, host):
    one, two = (native_peer(protection=True, takeover=takeover, host=host) for _ in range(2))
    await call(one, two, key=secrets.token_bytes(32))
    await two.assert_receives()
    for track in two.incoming.values():
        assert track.statistics.frames_rejected == 0


async def test_another_key_decodes_nothing_and_says_so(native_peer):
    one, two = native_peer(protection=True), native_peer(protection=True)
    rejections = []
    key, wrong = secrets.token_bytes(32), secrets.token_bytes(32)
    one.add_sections("sendonly")
    await two.peer.accept_offer(await one.peer.create_offer())
    two.add_receivers(wrong)
    for track in two.incoming.values():
        track.on_rejected = lambda reason, count: rejections.append((reason, count))
    _reading = [track.frames() for track in two.incoming.values()]
    await one.peer.accept_answer(await two.peer.create_answer())
    await asyncio.gather(one.peer.connected(), two.peer.connected())
    one.start_senders(key)
    await asyncio.sleep(2.5)
    assert {reason for reason, _ in rejections} == {"authentication_failed"}
    # At most one a second per track, so at most 3 each.
    assert 2 <= len(rejections) <= 6
    for track in two.incoming.values():
        assert track.statistics.frames_received == track.statistics.frames_decoded == 0


async def test_unencrypted_media_is_refused(native_peer):
    one, two = native_peer(protection=False), native_peer(protection=True)
    await call(one, two, key=None, other_key=secrets.token_bytes(32))
    track = two.of_kind("audio")
    _reading = track.frames()
    await until(lambda: track.statistics.frames_rejected > 0)
    assert track.statistics.frames_decoded == 0


async def test_mixed_takeover_and_fallback(native_peer):
    one = native_peer(protection=True, takeover=True)
    two = native_peer(protection=True, takeover=False)
    await call(one, two, key=secrets.token_bytes(32))
    await two.assert_receives()


async def test_a_reader_that_begins_late_starts_at_a_key_frame(native_peer):
    one, two = native_peer(protection=True), native_peer(protection=True)
    await call(one, two, key=secrets.token_bytes(32))
    await asyncio.sleep(3)
    await two.assert_receives(("video",))


async def test_handlers_at_both_ends_see_clear_frames(native_peer):
    one, two = native_peer(protection=True), native_peer(protection=True)
    key = secrets.token_bytes(32)
    sent, received = {}, {}
    one.add_sections("sendonly", kinds=("video",))
    await two.peer.accept_offer(await one.peer.create_offer())
    two.add_receivers(key)

    def at_receiver(frame):
        received[frame.rtp_timestamp] = bytes(frame.data)
        return frame

    def at_sender(frame):
        sent[frame.rtp_timestamp] = bytes(frame.data)
        return frame

    track = two.of_kind("video")
    track.encoded_frame_handler = at_receiver
    await one.peer.accept_answer(await two.peer.create_answer())
    await asyncio.gather(one.peer.connected(), two.peer.connected())
    one.start_senders(key, encoded_frame_handler=at_sender)
    await two.assert_receives(("video",))
    assert len(received) >= 10
    assert received.items() <= sent.items()


async def test_loss_and_reordering_leave_nothing_undecodable(native_peer):
    one, two = (native_peer(protection=True, takeover=False) for _ in range(2))
    await call(one, two, key=secrets.token_bytes(32))
    chance = random.Random(1)
    dropped = 0
    for peer in (one, two):
        link = peer.peer.transport.path.connection.selected_pair.protocol.transport

        def lossy(data, addr, send=link.sendto):
            nonlocal dropped
            if data[0] < 128:
                send(data, addr)
            elif chance.random() < 0.05:
                dropped += 1
            elif chance.random() < 0.1:
                asyncio.get_running_loop().call_later(0.01, send, data, addr)
            else:
                send(data, addr)

        link.sendto = lossy
    reading = [track.frames() for track in two.incoming.values()]
    await asyncio.sleep(8)
    assert dropped > 20
    sent = {t.kind: t.statistics for t in one.outgoing.values()}
    for track in two.incoming.values():
        counts = track.statistics
        assert counts.decode_errors == counts.frames_rejected == 0
        assert counts.frames_decoded > 0.85 * sent[track.kind].frames_sent, track.kind
    reading.clear()
    await two.assert_receives(("video",))
