"""sealroom.native_info(), and that no property is claimed that is not tested."""

from __future__ import annotations

import dataclasses
import platform
import sys
import sysconfig

import pytest

import sealroom
from sealroom import _core, errors
from sealroom._core import crypto


def test_it_tells_how_the_core_was_built() -> None:
    info = sealroom.native_info()
    assert info.version == _core.__version__
    assert info.build_type in {"Release", "RelWithDebInfo", "Debug", "MinSizeRel"}
    assert info.compiler.startswith(("GCC ", "Clang "))
    assert dict(info.crypto_backends) == {
        name: crypto.backend_version(name) for name in crypto.available_backends()
    }
    assert info.default_crypto_backend == crypto.default_backend()


def test_the_default_back_end_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALROOM_CRYPTO", "openssl")
    assert sealroom.native_info().default_crypto_backend == "openssl"
    monkeypatch.setenv("SEALROOM_CRYPTO", "abacus")
    with pytest.raises(errors.UnsupportedError, match="SEALROOM_CRYPTO: 'abacus'"):
        sealroom.native_info()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86-64 instructions")
def test_the_fast_back_end_implies_the_instructions_it_needs() -> None:
    info = sealroom.native_info()
    if "ipsec_mb" in info.crypto_backends:
        assert {"aes", "pclmulqdq"} <= set(info.cpu_features)


def test_every_field_has_its_declared_type() -> None:
    info = sealroom.native_info()
    assert all(isinstance(name, str) for name in info.cpu_features)
    assert all(isinstance(value, bool) for value in dataclasses.astuple(info.io))
    assert isinstance(info.sanitizer, str)
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.version = "2"  # type: ignore[misc]


def test_no_free_threading_is_claimed_without_a_test_of_it() -> None:
    assert sealroom.native_info().free_threaded is bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    # A module that does not declare itself makes such an interpreter take its lock back.
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    assert is_gil_enabled()
