"""Key separation, commitments and private metadata, as properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.crypto.epoch import (
    EpochId,
    check_commitment,
    commit,
    derive_epoch_keys,
    new_epoch_secret,
    open_secret,
    seal_secret,
)
from sealroom.crypto.errors import CommitmentMismatchError, PrivateMetadataError
from sealroom.crypto.private_metadata import (
    OVERHEAD_BYTES,
    decrypt_private_metadata,
    encrypt_private_metadata,
)
from sealroom.crypto.track_keys import derive_track_key
from sealroom.identity import Identity

SECRET = bytes(range(32))
EPOCH = EpochId("context", "room", 1)
KEYS = derive_epoch_keys(SECRET, EPOCH)
ALICE = Identity.from_seed(bytes(32))
BOB = Identity.from_seed(b"b" * 32)

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
epochs = st.builds(EpochId, ids, ids, st.integers(1, 2**53))
secrets_ = st.binary(min_size=32, max_size=32)


def test_every_purpose_has_its_own_key() -> None:
    assert len({SECRET, KEYS.metadata, KEYS.media, KEYS.data}) == 4


@settings(deadline=None)
@given(epochs, epochs)
def test_two_epochs_share_no_key_even_with_the_same_secret(one: EpochId, other: EpochId) -> None:
    a, b = derive_epoch_keys(SECRET, one), derive_epoch_keys(SECRET, other)
    for mine, theirs in ((a.metadata, b.metadata), (a.media, b.media), (a.data, b.data)):
        assert (mine == theirs) == (one == other)


def test_keys_are_not_shown() -> None:
    assert KEYS.media.hex() not in repr(KEYS)
    assert repr(KEYS.media) not in repr(KEYS)


def test_epoch_secrets_are_fresh() -> None:
    assert len({new_epoch_secret() for _ in range(100)}) == 100


@settings(deadline=None)
@given(secrets_, epochs)
def test_a_secret_fits_its_own_commitment(secret: bytes, epoch: EpochId) -> None:
    check_commitment(secret, epoch, commit(secret, epoch))


@settings(deadline=None)
@given(secrets_, secrets_, epochs, epochs)
def test_no_other_secret_or_epoch_fits_a_commitment(
    secret: bytes, other: bytes, epoch: EpochId, elsewhere: EpochId
) -> None:
    if (secret, epoch) != (other, elsewhere):
        with pytest.raises(CommitmentMismatchError):
            check_commitment(other, elsewhere, commit(secret, epoch))


@pytest.mark.parametrize("commitment", [b"", bytes(32), bytes(64)])
def test_a_malformed_commitment_fits_nothing(commitment: bytes) -> None:
    with pytest.raises(CommitmentMismatchError):
        check_commitment(SECRET, EPOCH, commitment)


def test_every_member_opens_the_same_secret() -> None:
    sealed = [
        seal_secret(SECRET, EPOCH, name, who.public) for name, who in (("a", ALICE), ("b", BOB))
    ]
    commitment = commit(SECRET, EPOCH)
    assert open_secret(sealed, EPOCH, "a", ALICE, commitment) == SECRET
    assert open_secret(sealed, EPOCH, "b", BOB, commitment) == SECRET


FINGERPRINT, NONCE = b"f" * 32, b"n" * 16
tracks = st.tuples(
    st.sampled_from([b"f" * 32, b"g" * 32]),
    st.sampled_from([b"n" * 16, b"m" * 16]),
    st.sampled_from(["v", "a", "v2"]),
    st.integers(0, 2),
)


@settings(deadline=None)
@given(tracks, tracks)
def test_no_two_publishers_streams_tracks_or_layers_share_a_key(
    one: tuple[bytes, bytes, str, int], other: tuple[bytes, bytes, str, int]
) -> None:
    assert (derive_track_key(KEYS, *one) == derive_track_key(KEYS, *other)) == (one == other)


@pytest.mark.parametrize(("fingerprint", "nonce"), [(b"f", NONCE), (FINGERPRINT, b"n"), (b"", b"")])
def test_a_track_key_needs_a_whole_fingerprint_and_nonce(fingerprint: bytes, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        derive_track_key(KEYS, fingerprint, nonce, "v")


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_private_metadata_comes_back(plaintext: bytes) -> None:
    encrypted = encrypt_private_metadata(plaintext, KEYS, 1)
    assert len(encrypted) == len(plaintext) + OVERHEAD_BYTES
    assert decrypt_private_metadata(encrypted, KEYS, 1) == plaintext


@settings(deadline=None)
@given(st.data())
def test_private_metadata_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    encrypted = bytearray(encrypt_private_metadata(b"private", KEYS, 1))
    position = data.draw(st.integers(0, len(encrypted) - 1))
    encrypted[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PrivateMetadataError):
        decrypt_private_metadata(bytes(encrypted), KEYS, 1)


@pytest.mark.parametrize("length", [0, 1, OVERHEAD_BYTES - 1])
def test_private_metadata_too_short_to_be_any_is_refused(length: int) -> None:
    with pytest.raises(PrivateMetadataError, match="too short"):
        decrypt_private_metadata(bytes(length), KEYS, 1)


def test_the_same_metadata_never_encrypts_alike() -> None:
    assert len({encrypt_private_metadata(b"p", KEYS, 1) for _ in range(50)}) == 50
