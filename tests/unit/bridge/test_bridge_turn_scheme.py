"""Credentials for TURN servers: coturn's `use-auth-secret`, and what they give away."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from sealroom.bridge import BridgeConfig, BridgeError, TurnServer
from sealroom.bridge.turn import TurnIssuer
from sealroom.protocol import IceServer

SECRET = "0123456789abcdef"
RELAY = TurnServer(urls=["turn:relay.example:3478", "turns:relay.example:5349"], secret=SECRET)


def test_the_password_is_the_hmac_of_a_name_that_begins_with_its_end() -> None:
    issuer = TurnIssuer([], [RELAY], 600.0, lambda: 1_000_000.9)
    made = issuer.configuration()
    (server,) = made.ice_servers
    assert server.urls == list(RELAY.urls)
    assert server.username is not None
    end, _, pseudonym = server.username.partition(":")
    assert (end, made.expires_in) == ("1000600", 600.0)
    assert len(pseudonym) == 32
    digest = hmac.new(SECRET.encode(), server.username.encode(), hashlib.sha1).digest()
    assert server.credential == base64.b64encode(digest).decode()


def test_no_two_credentials_are_alike() -> None:
    issuer = TurnIssuer([], [RELAY], 600.0, lambda: 0.0)
    names = {issuer.configuration().ice_servers[0].username for _ in range(100)}
    assert len(names) == 100


def test_servers_without_our_credentials_come_first_and_unchanged() -> None:
    stun = IceServer(urls=["stun:stun.example"])
    other = TurnServer(urls=["turn:other.example"], secret="another secret, long enough")
    made = TurnIssuer([stun], [RELAY, other], 600.0).configuration()
    assert made.ice_servers[0] == stun
    first, second = made.ice_servers[1:]
    assert first.username == second.username
    assert first.credential != second.credential
    alone = TurnIssuer([stun], [], 600.0).configuration()
    assert (alone.ice_servers, alone.expires_in) == ([stun], None)


@pytest.mark.parametrize(
    ("urls", "secret", "told"),
    [
        ([], SECRET, "at least one"),
        ("turn:relay.example", SECRET, "list"),
        (["stun:relay.example"], SECRET, "begin with turn:"),
        (["turn:relay.example"], "short", "openssl rand"),
    ],
)
def test_a_malformed_server_is_refused_without_its_secret(
    urls: list[str], secret: str, told: str
) -> None:
    with pytest.raises(BridgeError, match=told) as refused:
        TurnServer(urls=urls, secret=secret)
    assert secret not in str(refused.value)


@pytest.mark.parametrize("ttl", [0, 59, 86_401, float("nan")])
def test_credentials_last_a_minute_to_a_day(ttl: float) -> None:
    with pytest.raises(BridgeError, match="turn_ttl"):
        TurnIssuer([], [RELAY], ttl)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(RELAY)
    assert SECRET not in repr(BridgeConfig(turn_servers=[RELAY]))
    made = TurnIssuer([], [RELAY], 600.0).configuration()
    credential = made.ice_servers[0].credential
    assert credential is not None
    assert credential not in repr(made)
