"""The Bridge: control plane and, by default in the same process, the media server."""

try:
    from .app import Bridge
except ModuleNotFoundError as error:
    if (error.name or "").startswith("sealroom"):
        raise
    raise ImportError(
        f"The Bridge needs {error.name}: install the extra with pip install 'sealroom[bridge]'.",
        name=error.name,
    ) from error
from .config import MEMORY_DATABASE, BridgeConfig, sqlite_url
from .errors import BridgeError, RequestError
from .file_lock import DatabaseInUseError
from .rate_limits import RateLimits
from .turn import TurnServer

__all__ = [
    "MEMORY_DATABASE",
    "Bridge",
    "BridgeConfig",
    "BridgeError",
    "DatabaseInUseError",
    "RateLimits",
    "RequestError",
    "TurnServer",
    "sqlite_url",
]
