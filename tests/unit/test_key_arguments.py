"""A call with a wrong argument must not print the key that came with it."""

# Wrong types are given on purpose here: each ignored type is the mistake under test.
from __future__ import annotations

from collections.abc import Callable

import pytest

from sealroom import privmx, sframe, srtp
from sealroom._core import sfu
from sealroom._core.session import MediaSession

SECRET = b"the key of all keys"
SUITE = sframe.AES_128_GCM_SHA256_128
PROFILE = srtp.Profile.AEAD_AES_128_GCM


def start_transport() -> None:
    transport = sfu.Router().create_transport(extensions={})
    transport.start(profile="7", send_key=SECRET, receive_key=SECRET)  # type: ignore[arg-type]


CALLS: dict[str, Callable[[], object]] = {
    "sframe_sender": lambda: sframe.Sender(
        suite="1",  # type: ignore[arg-type]
        key_id=1,
        base_key=SECRET,
    ),
    "sframe_sender_misspelt": lambda: sframe.Sender(  # type: ignore[call-arg]
        suite=SUITE, kid=1, base_key=SECRET
    ),
    "sframe_receiver": lambda: sframe.Receiver(suite=SUITE).add_key(
        "1",  # type: ignore[arg-type]
        SECRET,
    ),
    "srtp_sender": lambda: srtp.Sender(profile="7", master=SECRET),  # type: ignore[arg-type]
    "srtp_receiver": lambda: srtp.Receiver(profile=PROFILE, master=SECRET, replay_window=-1),
    "session_start": lambda: MediaSession().start(
        profile=-1 << 40, send_key=SECRET, receive_key=SECRET
    ),
    "session_sender": lambda: MediaSession().set_sender_key(
        1, suite=SUITE, key_id=-1, base_key=SECRET
    ),
    "session_receiver": lambda: MediaSession().add_receiver_key(
        1, suite=SUITE, key_id=1 << 64, base_key=SECRET
    ),
    "privmx_key_store": lambda: privmx.KeyStore().add(7, SECRET),  # type: ignore[arg-type]
    "router_transport": start_transport,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_type_error_says_what_is_expected_and_shows_no_key(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"\nGot: \(") as caught:
        call()
    assert SECRET.decode() not in str(caught.value)
