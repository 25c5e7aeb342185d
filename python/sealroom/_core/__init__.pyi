"""The native core of sealroom."""

from typing import TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from . import crypto as crypto
from . import jitter as jitter
from . import net as net
from . import privmx as privmx
from . import rtp as rtp
from . import session as session
from . import sframe as sframe
from . import sfu as sfu
from . import srtp as srtp

WritableBytesLike: TypeAlias = bytearray | memoryview | npt.NDArray[np.uint8]
BytesLike: TypeAlias = bytes | WritableBytesLike

__version__: str

class _IoCapabilities(TypedDict):
    gso: bool
    gro: bool
    mmsg: bool

class _NativeInfo(TypedDict):
    version: str
    build_type: str
    compiler: str
    sanitizer: str
    crypto_backends: dict[str, str]
    default_crypto_backend: str
    cpu_features: tuple[str, ...]
    io: _IoCapabilities
    free_threaded: bool

def native_info() -> _NativeInfo:
    """What sealroom.native_info() tells, as a dictionary."""
