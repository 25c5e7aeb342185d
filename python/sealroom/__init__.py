"""End-to-end encrypted real-time media: Stream Rooms whose servers can read nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["IoCapabilities", "NativeInfo", "native_info"]


@dataclass(frozen=True)
class IoCapabilities:
    """What this machine's kernel offers to UDP sockets.

    ``$SEALROOM_IO_DISABLE``, a list such as ``gso,gro,mmsg``, keeps sockets from using it.
    """

    gso: bool
    """Segmentation offload on the way out (``UDP_SEGMENT``)."""
    gro: bool
    """Receive offload (``UDP_GRO``)."""
    mmsg: bool
    """Many datagrams per call (``sendmmsg``, ``recvmmsg``)."""


@dataclass(frozen=True)
class NativeInfo:
    """How the native core was built and what it found on this machine."""

    version: str
    build_type: str
    """CMake's: ``Release``, ``RelWithDebInfo``, ``Debug``."""
    compiler: str
    sanitizer: str
    """Sanitizers built in, as in ``address,undefined``; empty for none."""
    crypto_backends: Mapping[str, str]
    """Back ends that work here, each with the version text of its library."""
    default_crypto_backend: str
    """Used where none is named: ``$SEALROOM_CRYPTO``, else the fastest."""
    cpu_features: tuple[str, ...]
    """Instructions the crypto libraries may choose among, by their names in ``/proc/cpuinfo``:
    ``aes``, ``pclmulqdq``, ``sha_ni``, ``avx2``, ``avx512f``, ``vaes``, ``vpclmulqdq`` on x86-64,
    ``aes``, ``pmull``, ``sha1``, ``sha2`` on AArch64."""
    io: IoCapabilities
    free_threaded: bool
    """Whether it was built for an interpreter without a global lock."""


def native_info() -> NativeInfo:
    """Returns how the native core was built and what it found on this machine.

    Raises ``UnsupportedError`` where ``$SEALROOM_CRYPTO`` names a back end that is not available.

    >>> info = native_info()
    >>> info.default_crypto_backend in info.crypto_backends
    True
    """
    # Not at import: `sealroom.errors` and others are of use without the extension.
    from sealroom import _core

    info = _core.native_info()
    return NativeInfo(
        version=info["version"],
        build_type=info["build_type"],
        compiler=info["compiler"],
        sanitizer=info["sanitizer"],
        crypto_backends=info["crypto_backends"],
        default_crypto_backend=info["default_crypto_backend"],
        cpu_features=info["cpu_features"],
        io=IoCapabilities(**info["io"]),
        free_threaded=info["free_threaded"],
    )
