"""The key schedule's building block: injective binding, expansion as in RFC 5869."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.crypto.labels import Field, bind, digest, expand

LABELS = st.sampled_from(["stream", "stream 2", "track", "epoch media"])
FIELDS = st.lists(
    st.one_of(st.binary(max_size=12), st.text(max_size=6), st.integers(0, 2**64 - 1)), max_size=4
)


def as_bytes(fields: list[Field]) -> list[bytes]:
    """What the fields mean: text is its UTF-8, an integer its 8 bytes."""
    out = []
    for field in fields:
        if isinstance(field, str):
            out.append(field.encode())
        elif isinstance(field, int):
            out.append(field.to_bytes(8, "big"))
        else:
            out.append(field)
    return out


@settings(deadline=None)
@given(LABELS, FIELDS, LABELS, FIELDS)
def test_two_different_bindings_never_give_the_same_bytes(
    label: str, fields: list[Field], other_label: str, other_fields: list[Field]
) -> None:
    same = (label, as_bytes(fields)) == (other_label, as_bytes(other_fields))
    assert (bind(label, *fields) == bind(other_label, *other_fields)) == same


def test_moving_a_byte_between_fields_changes_the_binding() -> None:
    assert (
        len({bind("x", "ab", "c"), bind("x", "a", "bc"), bind("x", "abc"), bind("x", "abc", "")})
        == 4
    )


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), LABELS, FIELDS, st.integers(1, 200))
def test_expansion_is_that_of_rfc_5869(
    secret: bytes, label: str, fields: list[Field], length: int
) -> None:
    info, block, out = bind(label, *fields), b"", b""
    for counter in range(1, 8):
        block = hmac.digest(secret, block + info + bytes([counter]), "sha256")
        out += block
    assert expand(secret, label, *fields, length=length) == out[:length]


def test_a_digest_is_sha256_of_the_binding() -> None:
    assert digest("x", "a", 1) == hashlib.sha256(bind("x", "a", 1)).digest()


@pytest.mark.parametrize("label", ["", "a\0b", "é", "a\n"])
def test_a_label_that_could_be_mistaken_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        bind(label)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_an_integer_beyond_64_bits_is_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        bind("x", value)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        expand(bytes(length), "x")
