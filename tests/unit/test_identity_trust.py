"""User verifiers: trust on first use with and without a file, allow-list, callback."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from sealroom.identity import (
    AllowList,
    CallbackVerifier,
    Identity,
    IdentityError,
    PinFileError,
    TrustOnFirstUse,
    UserKey,
    default_pin_file,
)

ALICE = UserKey("alice", b"a" * 32)
BOB = UserKey("bob", b"b" * 32)
FALSE_BOB = UserKey("bob", b"x" * 32)


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    return tmp_path / "sealroom" / "known_users.json"


async def test_the_first_key_of_a_user_is_believed_and_another_is_not() -> None:
    trust = TrustOnFirstUse()
    assert await trust.verify("c", [ALICE, BOB]) == [True, True]
    assert await trust.verify("c", [ALICE, FALSE_BOB]) == [True, False]
    assert await trust.verify("c", [BOB]) == [True]


async def test_one_user_with_two_keys_in_one_question_is_believed_once() -> None:
    assert await TrustOnFirstUse().verify("c", [BOB, FALSE_BOB]) == [True, False]


async def test_contexts_do_not_share_pins() -> None:
    trust = TrustOnFirstUse()
    assert await trust.verify("c", [BOB]) == [True]
    assert await trust.verify("d", [FALSE_BOB]) == [True]


async def test_pins_outlive_the_program(pin_file: Path) -> None:
    assert await TrustOnFirstUse(pin_file).verify("c", [BOB]) == [True]
    assert await TrustOnFirstUse(pin_file).verify("c", [FALSE_BOB]) == [False]
    assert await TrustOnFirstUse(pin_file).verify("c", [BOB]) == [True]


async def test_the_pin_file_is_private(pin_file: Path) -> None:
    await TrustOnFirstUse(pin_file).verify("c", [BOB])
    assert stat.S_IMODE(pin_file.stat().st_mode) == 0o600
    assert json.loads(pin_file.read_bytes()) == {"c": {"bob": (b"b" * 32).hex()}}


async def test_programs_that_share_a_pin_file_keep_each_others_pins(pin_file: Path) -> None:
    one, other = TrustOnFirstUse(pin_file), TrustOnFirstUse(pin_file)
    users = [UserKey(f"user{i}", bytes([i]) * 32) for i in range(16)]
    await asyncio.gather(
        *(trust.verify("c", [user]) for user in users[:8] for trust in (one,)),
        *(trust.verify("c", [user]) for user in users[8:] for trust in (other,)),
    )
    assert len(json.loads(pin_file.read_bytes())["c"]) == 16


async def test_a_forgotten_user_is_believed_anew(pin_file: Path) -> None:
    for trust in (TrustOnFirstUse(), TrustOnFirstUse(pin_file)):
        await trust.verify("c", [BOB, ALICE])
        trust.forget("c", "bob")
        trust.forget("c", "nobody")
        assert await trust.verify("c", [FALSE_BOB]) == [True]
        assert await trust.verify("c", [UserKey("alice", b"y" * 32)]) == [False]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"c": {"bob": 1}}'])
async def test_a_damaged_pin_file_believes_nothing(pin_file: Path, content: bytes) -> None:
    pin_file.parent.mkdir()
    pin_file.write_bytes(content)
    with pytest.raises(PinFileError):
        await TrustOnFirstUse(pin_file).verify("c", [BOB])
    assert pin_file.read_bytes() == content


async def test_a_pin_that_cannot_be_saved_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PinFileError):
        await TrustOnFirstUse(tmp_path / "file" / "pins.json").verify("c", [BOB])


def test_the_default_pin_file_is_in_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_pin_file() == Path("/data/sealroom/known_users.json")


async def test_an_allow_list_takes_identities_texts_and_fingerprints() -> None:
    alice, bob, carol = (Identity.generate().public for _ in range(3))
    trust = AllowList({"alice": alice, "bob": bob.encode(), "carol": carol.fingerprint})
    claims = [
        UserKey("alice", alice.fingerprint),
        UserKey("bob", bob.fingerprint),
        UserKey("carol", carol.fingerprint),
        UserKey("alice", bob.fingerprint),
        UserKey("dave", alice.fingerprint),
    ]
    assert await trust.verify("any", claims) == [True, True, True, False, False]


def test_an_allow_list_refuses_what_is_no_key() -> None:
    with pytest.raises(IdentityError):
        AllowList({"alice": "sealroom:AAAA"})
    with pytest.raises(ValueError, match="32 bytes"):
        AllowList({"alice": b"short"})


async def test_a_callback_decides_per_user() -> None:
    trust = CallbackVerifier(lambda context, user: context == "c" and user == ALICE)
    assert await trust.verify("c", [ALICE, BOB]) == [True, False]
    assert await trust.verify("d", [ALICE]) == [False]


async def test_a_callback_may_wait_and_only_true_is_yes() -> None:
    async def ask(context: str, user: UserKey) -> bool:
        await asyncio.sleep(0)
        return "yes" if user == BOB else True  # type: ignore[return-value]

    assert await CallbackVerifier(ask).verify("c", [ALICE, BOB]) == [True, False]
