"""The table of open challenges is bounded, and each is good once and for a while."""

import pytest

from sealroom.bridge.errors import RequestError
from sealroom.bridge.login import ChallengeTable
from sealroom.protocol import NONCE_BYTES, ErrorCode, LoginPayload


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def payload(nonce: bytes, user_id: str = "alice") -> LoginPayload:
    return LoginPayload(bridge_id="b", nonce=nonce, context_id="c", user_id=user_id)


def test_a_nonce_is_good_once_on_its_connection() -> None:
    table = ChallengeTable(10, 60.0, Clock())
    nonce = table.issue("one", "c", "alice")
    assert len(nonce) == NONCE_BYTES
    assert not table.redeem("two", payload(nonce))
    assert table.redeem("one", payload(nonce))
    assert not table.redeem("one", payload(nonce))


def test_a_wrong_answer_voids_the_challenge() -> None:
    table = ChallengeTable(10, 60.0, Clock())
    nonce = table.issue("one", "c", "alice")
    assert not table.redeem("one", payload(bytes(NONCE_BYTES)))
    assert not table.redeem("one", payload(nonce))


def test_a_challenge_expires_to_the_second() -> None:
    clock = Clock()
    table = ChallengeTable(10, 60.0, clock)
    for later, good in ((59.9, True), (60.0, False)):
        clock.now = 0.0
        nonce = table.issue("one", "c", "alice")
        clock.now = later
        assert table.redeem("one", payload(nonce)) is good


def test_one_connection_holds_one_challenge() -> None:
    table = ChallengeTable(2, 60.0, Clock())
    for _ in range(100):
        table.issue("one", "c", "alice")
    assert len(table) == 1


def test_a_full_table_refuses_until_challenges_expire_or_connections_go() -> None:
    clock = Clock()
    table = ChallengeTable(2, 60.0, clock)
    table.issue("one", "c", "alice")
    table.issue("two", "c", "alice")
    with pytest.raises(RequestError) as refusal:
        table.issue("three", "c", "alice")
    assert refusal.value.error is ErrorCode.BUSY
    table.issue("two", "c", "alice")  # those inside go on
    table.forget("one")
    table.issue("three", "c", "alice")
    clock.now = 60.0
    table.issue("four", "c", "alice")
    assert len(table) == 1
