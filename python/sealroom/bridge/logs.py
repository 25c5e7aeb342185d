"""Logging without secrets: structured events through the standard logger `sealroom.bridge`.

Keys, nonces, signatures, payloads, sealed secrets, SDP and exception texts never reach a log: names
known to hold them are replaced, and so is everything binary. Exceptions are logged by type and
place.
"""

import logging
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

LOGGER_NAME: Final = "sealroom.bridge"
_HIDDEN: Final = "[hidden]"
_SECRET_NAMES: Final = frozenset(
    [
        "api_key",
        "credential",
        "secret",
        "nonce",
        "payload",
        "signature",
        "sealed",
        "sealed_secrets",
        "record",
        "announcement",
        "offer",
        "answer",
        "sdp",
        "candidate",
        "params",
        "private_meta",
        "public_meta",
        "identity",
        "exc_info",
        "exception",
    ]
)

logging.getLogger(LOGGER_NAME).addHandler(logging.NullHandler())


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace what may be secret; the last guard, not the first."""
    for name, value in event.items():
        if name in _SECRET_NAMES or isinstance(value, bytes | bytearray | memoryview):
            event[name] = _HIDDEN
    return event


def where(error: BaseException) -> str:
    """Return type and place of an exception, without its text, which may quote the input."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}:{frame.name}"
        for frame in reversed(frames)
    )
    return f"{type(error).__name__} at {places or 'unknown'}"


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return the logger of the Bridge. No global configuration is read or changed."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_secrets,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger
