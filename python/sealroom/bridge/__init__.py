"""The Bridge: control plane and, by default in the same process, the media server."""

from .app import Bridge
from .config import MEMORY_DATABASE, BridgeConfig, sqlite_url
from .errors import BridgeError, RequestError

__all__ = [
    "MEMORY_DATABASE",
    "Bridge",
    "BridgeConfig",
    "BridgeError",
    "RequestError",
    "sqlite_url",
]
