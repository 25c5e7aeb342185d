"""Identity files: modes, passphrases, damage."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sealroom.identity import (
    Identity,
    IdentityFileError,
    IdentityFilePermissionsError,
    PassphraseError,
    storage,
)


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.encode, "__kwdefaults__", {"scrypt_n": 2**10})


@pytest.fixture
def identity() -> Identity:
    return Identity.generate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alice.identity"


def test_the_documented_cost_is_the_default() -> None:
    assert (storage.SCRYPT_N, storage.SCRYPT_R, storage.SCRYPT_P) == (2**17, 8, 1)


def test_a_saved_identity_is_loaded_again(identity: Identity, path: Path) -> None:
    identity.save(path)
    loaded = Identity.load(path)
    assert loaded.public == identity.public
    loaded.public.verify("login", b"p", identity.sign("login", b"p"))


def test_the_file_is_private_whatever_the_umask(identity: Identity, path: Path) -> None:
    before = os.umask(0)
    try:
        identity.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_else_is_left_in_the_folder(identity: Identity, path: Path) -> None:
    identity.save(path)
    with pytest.raises(IdentityFileError):
        identity.save(path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_existing_file_is_kept_unless_told_otherwise(identity: Identity, path: Path) -> None:
    identity.save(path)
    with pytest.raises(IdentityFileError, match="exists already"):
        Identity.generate().save(path)
    assert Identity.load(path).public == identity.public
    other = Identity.generate()
    other.save(path, overwrite=True)
    assert Identity.load(path).public == other.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_open_to_others_is_refused(identity: Identity, path: Path, mode: int) -> None:
    identity.save(path)
    path.chmod(mode)
    with pytest.raises(IdentityFilePermissionsError, match="chmod 600"):
        Identity.load(path)


def test_with_a_passphrase_the_file_does_not_hold_the_seed(path: Path) -> None:
    seed = bytes(range(100, 132))
    identity = Identity.from_seed(seed)
    identity.save(path, "correct horse")
    content = json.loads(path.read_bytes())
    assert "seed" not in content
    assert "ZGVmZ2hp" not in path.read_text()  # base64 of the seed's beginning
    assert Identity.load(path, "correct horse").public == identity.public


def test_a_wrong_or_missing_passphrase_is_refused(identity: Identity, path: Path) -> None:
    identity.save(path, "correct horse")
    with pytest.raises(PassphraseError, match="needs a passphrase"):
        Identity.load(path)
    with pytest.raises(PassphraseError, match="wrong passphrase"):
        Identity.load(path, "battery staple")


def test_a_superfluous_passphrase_is_refused(identity: Identity, path: Path) -> None:
    identity.save(path)
    with pytest.raises(PassphraseError, match="has no passphrase"):
        Identity.load(path, "anything")


def test_a_missing_file_is_an_identity_file_error(path: Path) -> None:
    with pytest.raises(IdentityFileError, match="cannot read"):
        Identity.load(path)


def test_a_folder_is_not_an_identity_file(path: Path) -> None:
    path.mkdir(mode=0o700)
    with pytest.raises(IdentityFileError):
        Identity.load(path)


def test_a_folder_that_is_missing_is_an_identity_file_error(identity: Identity, path: Path) -> None:
    with pytest.raises(IdentityFileError, match="cannot write"):
        identity.save(path / "below")


def rewrite(path: Path, **changes: object) -> None:
    content = json.loads(path.read_bytes())
    content.update(changes)
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"version": 2},
        {"seed": None},
        {"seed": "AAAA"},
        {"seed": "not base64"},
        {"extra": 1},
        {"public": Identity.from_seed(bytes(32)).public.encode()},
    ],
)
def test_a_damaged_file_is_refused(
    identity: Identity, path: Path, changes: dict[str, object]
) -> None:
    identity.save(path)
    rewrite(path, **changes)
    with pytest.raises(IdentityFileError):
        Identity.load(path)


@pytest.mark.parametrize(
    "cost",
    [
        {"n": 2**30, "r": 8, "p": 1},
        {"n": 3, "r": 8, "p": 1},
        {"n": 0, "r": 8, "p": 1},
        {"n": 2**10, "r": 1000, "p": 1},
        {"n": 2**10, "r": 8, "p": 1000},
        {"n": 2**22, "r": 64, "p": 1},
        {"n": -4, "r": 8, "p": 1},
    ],
)
def test_a_file_cannot_name_a_cost_that_exhausts_the_machine(
    identity: Identity, path: Path, cost: dict[str, int]
) -> None:
    identity.save(path, "p")
    rewrite(path, scrypt={**cost, "salt": "AAAAAAAAAAAAAAAAAAAAAA=="})
    with pytest.raises(IdentityFileError, match="out of bounds"):
        Identity.load(path, "p")


@pytest.mark.parametrize("changes", [{"nonce": "AAAA"}, {"ciphertext": "AAAA"}, {"nonce": None}])
def test_a_damaged_file_with_a_passphrase_is_refused(
    identity: Identity, path: Path, changes: dict[str, object]
) -> None:
    identity.save(path, "p")
    rewrite(path, **changes)
    with pytest.raises(IdentityFileError):
        Identity.load(path, "p")


def test_a_huge_file_is_not_read(identity: Identity, path: Path) -> None:
    identity.save(path)
    with path.open("ab") as file:
        file.write(b" " * storage.MAX_FILE_BYTES)
    with pytest.raises(IdentityFileError, match="too large"):
        Identity.load(path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(IdentityFileError, match="regular file"):
        Identity.load(path)
