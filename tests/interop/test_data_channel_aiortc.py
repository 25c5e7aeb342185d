"""An unmodified aiortc.RTCPeerConnection exchanges data channel messages with our peer."""

import asyncio

import pytest
from aiortc import RTCSessionDescription
from media_support import Bars, until

MESSAGES = [b"", b"one", bytes(range(256)) * 64, b"last"]


async def answer_stock(native, stock):
    await stock.setLocalDescription(await stock.createOffer())
    await native.peer.accept_offer(stock.localDescription.sdp)
    answer = await native.peer.create_answer()
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await native.peer.connected()


async def offer_to_stock(native, stock):
    offer = await native.peer.create_offer()
    await stock.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await native.peer.accept_answer(stock.localDescription.sdp)
    await native.peer.connected()


class Ours:
    """The channels a stock peer opens at our side."""

    def __init__(self, native, **options):
        self.data = native.peer.use_data_channels(**options)
        self.channels = []
        self.messages = []
        self.data.on_channel = self._came

    def _came(self, channel):
        self.channels.append(channel)
        channel.on_message = self.messages.append


@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
async def test_a_channel_of_stock_carries_messages_both_ways(native_peer, stock_peer, takeover):
    native, stock = native_peer(takeover=takeover), stock_peer()
    ours = Ours(native)
    theirs = stock.createDataChannel("chat")
    heard = []
    theirs.on("message", heard.append)
    await answer_stock(native, stock)
    await until(lambda: theirs.readyState == "open" and ours.channels)
    assert ours.channels[0].label == "chat"
    for message in MESSAGES:
        theirs.send(message)
        ours.channels[0].send(message)
    await until(lambda: len(ours.messages) == len(heard) == len(MESSAGES))
    assert ours.messages == heard == MESSAGES


@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
async def test_a_channel_of_ours_carries_messages_both_ways(native_peer, stock_peer, takeover):
    native, stock = native_peer(takeover=takeover), stock_peer()
    came, heard, answered = [], [], []

    def on_channel(channel):
        came.append(channel)
        channel.on("message", heard.append)

    stock.on("datachannel", on_channel)
    channel = native.peer.use_data_channels().open("ours")
    channel.on_message = answered.append
    channel.send(b"before there is a connection")
    await offer_to_stock(native, stock)
    for message in MESSAGES:
        channel.send(message)
    await until(lambda: len(heard) == 1 + len(MESSAGES))
    assert heard == [b"before there is a connection", *MESSAGES]
    assert [one.label for one in came] == ["ours"]
    came[0].send("text")
    await until(lambda: answered)
    assert answered == [b"text"]


async def test_channels_join_a_call_that_carries_media(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    native.add_sections("sendonly", kinds=("video",))
    await offer_to_stock(native, stock)
    native.start_senders()
    heard = []
    stock.on("datachannel", lambda channel: channel.on("message", heard.append))
    channel = native.peer.use_data_channels().open("late")
    await offer_to_stock(native, stock)
    for number in range(1000):
        channel.send(number.to_bytes(2, "big"))
    await until(lambda: len(heard) == 1000, timeout=30)
    assert heard == [number.to_bytes(2, "big") for number in range(1000)]
    for _ in range(5):
        await asyncio.wait_for(stock.remote_tracks[0].recv(), 10)
    assert native.session.transport_statistics().control_dropped == 0


@pytest.mark.parametrize("side", ["ours", "theirs"])
async def test_a_channel_closes_at_both_ends(native_peer, stock_peer, side):
    native, stock = native_peer(), stock_peer()
    ours = Ours(native)
    theirs = stock.createDataChannel("chat")
    await answer_stock(native, stock)
    await until(lambda: theirs.readyState == "open" and ours.channels)
    closed = []
    ours.channels[0].on_closed = lambda: closed.append(True)
    (ours.channels[0] if side == "ours" else theirs).close()
    await until(lambda: theirs.readyState == "closed" and ours.channels[0].is_closed)
    assert closed == [True]


async def test_channels_end_with_the_connection(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    ours = Ours(native)
    theirs = stock.createDataChannel("chat")
    await answer_stock(native, stock)
    await until(lambda: theirs.readyState == "open" and ours.channels)
    await stock.close()
    await until(lambda: ours.channels[0].is_closed and ours.data.is_closed)


async def test_a_message_above_our_limit_ends_the_association_and_not_the_media(
    native_peer, stock_peer
):
    native, stock = native_peer(), stock_peer()
    ours = Ours(native, max_message_size=100)
    stock.addTrack(Bars())
    theirs = stock.createDataChannel("chat")
    await stock.setLocalDescription(await stock.createOffer())
    await native.peer.accept_offer(stock.localDescription.sdp)
    native.add_receivers()
    answer = await native.peer.create_answer()
    assert "a=max-message-size:100\r\n" in answer
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await native.peer.connected()
    await until(lambda: theirs.readyState == "open" and ours.channels)
    with pytest.raises(ValueError, match="up to 100 bytes"):
        theirs.send(bytes(101))
    stock.sctp._remote_max_message_size = 0
    theirs.send(bytes(100))
    theirs.send(bytes(101))
    await until(lambda: ours.channels[0].is_closed)
    assert ours.messages == [bytes(100)]
    await native.assert_receives(kinds=("video",))


async def test_without_use_data_channels_an_offer_of_them_is_rejected(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    stock.addTrack(Bars())
    stock.createDataChannel("chat")
    await stock.setLocalDescription(await stock.createOffer())
    await native.peer.accept_offer(stock.localDescription.sdp)
    assert "m=application 0 " in await native.peer.create_answer()
