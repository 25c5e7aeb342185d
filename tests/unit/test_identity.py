"""Identities: determinism, signatures, sealing, and that no secret shows."""

from __future__ import annotations

import base64
import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.identity import (
    PUBLIC_BYTES,
    PUBLIC_PREFIX,
    SEAL_OVERHEAD_BYTES,
    Identity,
    IdentityError,
    PublicIdentity,
    SealedMessageError,
    SignatureError,
    signing_input,
)

ALICE = Identity.from_seed(bytes(range(32)))
BOB = Identity.from_seed(bytes(range(32, 64)))
DATA = base64.urlsafe_b64decode(ALICE.public.encode().removeprefix(PUBLIC_PREFIX) + "==")


def text_of(data: bytes) -> str:
    return PUBLIC_PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_seed_always_gives_the_same_identity() -> None:
    assert Identity.from_seed(bytes(range(32))).public == ALICE.public
    assert BOB.public != ALICE.public


def test_generated_identities_differ() -> None:
    assert Identity.generate().public != Identity.generate().public


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Identity.from_seed(bytes(length))


def test_the_public_identity_survives_its_text() -> None:
    parsed = PublicIdentity.parse(ALICE.public.encode())
    assert parsed == ALICE.public
    assert hash(parsed) == hash(ALICE.public)
    assert parsed.fingerprint == ALICE.public.fingerprint
    assert len(DATA) == PUBLIC_BYTES


def test_the_fingerprint_is_shown_in_groups_of_four() -> None:
    groups = ALICE.public.fingerprint_text.split(" ")
    assert [len(group) for group in groups] == [4] * 16
    assert bytes.fromhex("".join(groups)) == ALICE.public.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sealroom:",
        ALICE.public.encode().removeprefix(PUBLIC_PREFIX),
        ALICE.public.encode()[:-1],
        ALICE.public.encode() + "A",
        ALICE.public.encode() + "==",
        ALICE.public.encode()[:-1] + "é",
        ALICE.public.encode()[:-2] + "+/",
        ALICE.public.encode().replace(PUBLIC_PREFIX, PUBLIC_PREFIX + " ")[:-1],
        text_of(b"\x02" + DATA[1:]),
        text_of(DATA[:33] + b"\xff" * 1184 + DATA[1217:]),
    ],
)
def test_a_malformed_public_identity_is_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        PublicIdentity.parse(text)


def test_stray_bits_after_the_last_byte_are_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = ALICE.public.encode()
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
    with pytest.raises(IdentityError, match="canonical"):
        PublicIdentity.parse(twin)


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_parsing_any_text_gives_an_identity_or_an_identity_error(text: str) -> None:
    with pytest.raises(IdentityError):
        PublicIdentity.parse(PUBLIC_PREFIX + text)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["login", "room-record", "stream-announcement"]))
def test_a_signature_verifies_over_its_own_type_and_payload(payload: bytes, kind: str) -> None:
    ALICE.public.verify(kind, payload, ALICE.sign(kind, payload))


@settings(deadline=None)
@given(st.binary(max_size=64), st.integers(0, 511))
def test_a_signature_with_any_bit_flipped_fails(payload: bytes, bit: int) -> None:
    signature = bytearray(ALICE.sign("login", payload))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        ALICE.public.verify("login", payload, bytes(signature))


def test_a_signature_of_one_type_is_none_of_another() -> None:
    with pytest.raises(SignatureError):
        ALICE.public.verify("login", b"payload", ALICE.sign("room-record", b"payload"))


def test_the_type_cannot_run_over_into_the_payload() -> None:
    assert signing_input("ab", b"c") != signing_input("a", b"bc")
    with pytest.raises(ValueError, match="ASCII"):
        signing_input("a\0b", b"")
    with pytest.raises(ValueError, match="ASCII"):
        signing_input("", b"")


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"x" * 65, bytes(64)])
def test_a_malformed_signature_fails(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        ALICE.public.verify("login", b"", signature)


def test_another_users_signature_fails() -> None:
    with pytest.raises(SignatureError):
        BOB.public.verify("login", b"payload", ALICE.sign("login", b"payload"))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=50))
def test_a_sealed_message_opens_for_its_recipient(message: bytes, info: bytes) -> None:
    sealed = BOB.public.seal(message, info=info)
    assert len(sealed) == len(message) + SEAL_OVERHEAD_BYTES
    assert BOB.open_sealed(sealed, info=info) == message


def test_sealing_twice_gives_unrelated_messages() -> None:
    assert BOB.public.seal(b"m", info=b"") != BOB.public.seal(b"m", info=b"")


def test_a_sealed_message_opens_for_nobody_else() -> None:
    with pytest.raises(SealedMessageError):
        ALICE.open_sealed(BOB.public.seal(b"m", info=b"i"), info=b"i")


def test_a_sealed_message_opens_for_no_other_purpose() -> None:
    with pytest.raises(SealedMessageError):
        BOB.open_sealed(BOB.public.seal(b"m", info=b"i"), info=b"j")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_sealed_message_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(BOB.public.seal(b"message", info=b"i"))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealedMessageError):
        BOB.open_sealed(bytes(sealed), info=b"i")


@pytest.mark.parametrize("length", [0, 1, 1119, 1120, SEAL_OVERHEAD_BYTES - 1])
def test_a_truncated_sealed_message_does_not_open(length: int) -> None:
    sealed = BOB.public.seal(b"", info=b"")
    with pytest.raises(SealedMessageError):
        BOB.open_sealed(sealed[:length], info=b"")


def test_a_degenerate_exchange_key_cannot_be_sealed_to() -> None:
    weak = PublicIdentity.parse(text_of(DATA[:1217] + bytes(32)))
    with pytest.raises(IdentityError, match="unusable"):
        weak.seal(b"m", info=b"")


def test_no_representation_shows_the_seed() -> None:
    seed = bytes(range(200, 232))
    identity = Identity.from_seed(seed)
    for text in (repr(identity), str(identity), f"{identity}", repr([identity])):
        assert seed.hex() not in text
        assert str(seed) not in text
    assert not hasattr(identity, "__dict__")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_private_identity_is_neither_pickled_nor_copied(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError, match="save"):
        leak(ALICE)


def test_a_public_identity_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(ALICE.public)) == ALICE.public
