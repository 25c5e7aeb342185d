"""Can the demo's eavesdropper tell a picture from noise, and does it count what lies open?"""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import av
import numpy as np
import pytest

from sealroom.demo.contact_sheet import draw_contact_sheet, write_png
from sealroom.demo.lettering import draw_text
from sealroom.demo.likeness import RECOGNISABLE, carries_clear_text, likeness, thumbnail
from sealroom.demo.observer import Eavesdropper, SfuObserver, View
from sealroom.demo.outsider import count_decodable, try_to_enter
from sealroom.demo.sent_log import SentFrame, SentLog, clear_prefix_size
from sealroom.demo.subscriber import Sample
from sealroom.media.frames import EncodedFrame
from sealroom.media.video_codecs import VideoDecoder, VideoEncoder
from sealroom.sframe import AES_256_GCM_SHA512_128, Sender

GRAPH = "testsrc2=size=320x240:rate=30"


@pytest.fixture(scope="module")
def clip() -> list[SentFrame]:
    """Two seconds of the test picture with a key frame every half second, as alice sends it."""
    encoder = VideoEncoder("vp8")
    sent: list[SentFrame] = []
    with av.open(GRAPH, "r", format="lavfi") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == 60:
                break
            for encoded in encoder.encode(frame, force_key_frame=number % 15 == 0):
                clear = clear_prefix_size("vp8", encoded.data)
                sent.append(SentFrame(frame, 0.0, encoded.data, clear))
    return sent


def protect(sender: Sender, frame: SentFrame) -> bytes:
    clear = frame.encoded[: frame.clear_bytes]
    return clear + sender.protect(frame.encoded[frame.clear_bytes :], metadata=clear)


def stolen(clip: list[SentFrame], key: bytes) -> list[tuple[str, bytes, SentFrame | None]]:
    sender = Sender(suite=AES_256_GCM_SHA512_128, key_id=1, base_key=key)
    return [("video", protect(sender, frame), frame) for frame in clip]


def test_open_frames_are_counted_as_decodable(clip: list[SentFrame]) -> None:
    eavesdropper = Eavesdropper()
    seen = [eavesdropper.examine("video", frame.encoded, frame) for frame in clip]
    assert all(is_decodable for _, is_decodable in seen)
    assert min(view.likeness for view, _ in seen) > 0.95


def test_a_decodable_picture_is_found_even_if_its_bytes_are_not_alices(
    clip: list[SentFrame],
) -> None:
    # As if the SFU had made the frames again after decoding them.
    encoder, decoder, eavesdropper = (
        VideoEncoder("vp8", 200_000),
        VideoDecoder("vp8"),
        Eavesdropper(),
    )
    for frame in clip:
        (picture,) = decoder.decode(frame.encoded)
        (again,) = encoder.encode(picture)
        view, is_decodable = eavesdropper.examine("video", again.data, frame)
        assert is_decodable, view.likeness
        assert not carries_clear_text(again.data, frame.encoded, 10)


def test_ciphertext_is_not_decodable_although_a_decoder_may_begin(clip: list[SentFrame]) -> None:
    eavesdropper = Eavesdropper()
    pictures = 0
    for _ in range(8):
        for kind, payload, frame in stolen(clip, secrets.token_bytes(32)):
            view, is_decodable = eavesdropper.examine(kind, payload, frame)
            pictures += view.picture is not None
            assert not is_decodable, view.likeness
    assert pictures, "no picture in 32 key frames: the check was not put to the test"


def test_an_open_frame_is_found_behind_a_header() -> None:
    encoded = secrets.token_bytes(200)
    for header in (0, 2, 17):
        assert carries_clear_text(secrets.token_bytes(header) + encoded, encoded, 0)
    assert not carries_clear_text(secrets.token_bytes(200), encoded, 0)
    assert not carries_clear_text(encoded[:7], encoded[:7], 0)  # too short to say anything


def test_the_outsiders_routine_opens_frames_with_the_right_key_and_none_with_another(
    clip: list[SentFrame],
) -> None:
    key = secrets.token_bytes(32)
    frames = stolen(clip, key)
    assert count_decodable({"video": key}, frames) == len(frames)
    assert count_decodable({"video": secrets.token_bytes(32)}, frames) == 0
    assert count_decodable({}, frames) == 0


async def test_an_outsider_who_is_let_in_is_not_called_refused() -> None:
    class Door:
        context_id = "context"

        async def call(self, method: str, params: object, result: type) -> object:
            return SimpleNamespace(total=0)

    figures = await try_to_enter(Door(), "room", "stream", ["track"])  # type: ignore[arg-type]
    assert not figures.refused
    assert figures.attempts["room.join"] == "LET IN"
    assert figures.attempts_let_in == 6


async def test_the_observer_counts_what_the_taps_give(clip: list[SentFrame]) -> None:
    log = SentLog("video", "vp8")
    tapped = []
    for number, frame in enumerate(clip[:20]):
        log.note_raw(frame.raw)
        timestamp = 4_000_000_000 + 3000 * number
        log.note_encoded(
            EncodedFrame(frame.encoded, timestamp & 0xFFFFFFFF, False, "video", "vp8", "track")
        )
        payload = frame.encoded if number < 5 else secrets.token_bytes(500)
        tapped.append(SimpleNamespace(data=payload, rtp_timestamp=timestamp & 0xFFFFFFFF))

    class Tap:
        def take_frames(self) -> list[SimpleNamespace]:
            taken = tapped[:]
            tapped.clear()
            return taken

    observer = SfuObserver()
    observer.add(Tap(), log)
    await observer.poll()
    await observer.stop()
    assert observer.counts["video"].tapped == 20
    assert observer.counts["video"].decodable == 5
    assert observer.view(4_000_000_000) is not None
    assert len(observer.stolen) == 20


def test_the_sent_log_finds_frames_by_rtp_timestamp_and_counts_since() -> None:
    log = SentLog("video", "vp8")
    with av.open(GRAPH, "r", format="lavfi") as container:
        frames = [frame for _, frame in zip(range(3), container.decode(video=0), strict=False)]
    for number, frame in enumerate(frames):
        log.note_raw(frame)
        timestamp = (0xFFFFFFFF - 2000 + 3000 * number) & 0xFFFFFFFF  # wraps
        log.note_encoded(EncodedFrame(b"x" * 9, timestamp, False, "video", "vp8", "track"))
        found = log.find(timestamp)
        assert found is not None
        assert found.raw is frame
    assert log.count_since(log.timestamps[1]) == 2
    assert log.count_since(None) == 0
    assert log.find(1) is None


def test_likeness_knows_a_picture_again_and_nothing_in_noise(clip: list[SentFrame]) -> None:
    picture = thumbnail(clip[0].raw)
    noise = np.random.default_rng(1).uniform(0, 255, picture.shape).astype(np.float32)
    assert likeness(picture, picture * 0.5 + 20) > 0.99
    assert abs(likeness(picture, noise)) < 0.1 < RECOGNISABLE
    assert likeness(picture, np.full_like(picture, 128)) == 0.0


def test_the_contact_sheet_shows_pictures_ciphertext_and_captions(tmp_path, clip) -> None:
    picture = clip[0].raw.to_ndarray(format="rgb24")
    samples = [
        Sample(1, 0.0, picture, View(secrets.token_bytes(5000))),
        Sample(2, 1.0, picture, View(b"x" * 100, clip[0].raw, 0.01)),
        Sample(3, 2.0, picture, None),
    ]
    sheet = draw_contact_sheet(samples, "A title")
    path = tmp_path / "sheet.png"
    write_png(path, sheet)
    with av.open(str(path)) as container:
        (frame,) = container.decode(video=0)
    shown = frame.to_ndarray(format="rgb24")
    assert np.array_equal(shown, sheet)
    header = 2 * 12 + 2 * 16
    tile = shown[header : header + 240, 12 : 12 + 320]
    assert np.abs(tile.astype(int) - picture.astype(int)).mean() < 3
    bytes_tile = shown[header : header + 240, 12 + 324 : 12 + 644]
    assert bytes_tile.std() > 60


@pytest.mark.parametrize(
    "text", ["x", "Exactly as wide as it is", "cut off at the end of the line"]
)
def test_text_is_drawn_to_its_last_character(text: str) -> None:
    width = min(len(text) * 8, 200)
    line = draw_text(text, width)
    assert line.shape == (16, width, 3)
    assert line[:, -8:].any() or text[width // 8 - 1] == " "
    assert line[:, :8].any()


def test_no_samples_still_make_a_sheet() -> None:
    assert draw_contact_sheet([], "Nothing arrived").shape[2] == 3
