"""Whoever writes help(...) on the native core's public names is told something, by its RFC."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from sealroom import jitter, rtp, sframe, srtp

MODULES = [sframe, rtp, srtp, jitter]
# pybind11's, in front of what we wrote.
SIGNATURE = re.compile(r"^(\d+\. )?\w+\(.*\)( -> .*)?$")
GENERATED = {
    "",
    "Overloaded function.",
    "Initialize self.  See help(type(self)) for accurate signature.",
}
SPECIFICATION = re.compile(r"RFC \d+|draft-[a-z]|AV1 RTP specification|webrtc-stats")
# Ours alone; what they do is in no RFC.
OUR_OWN = {"sframe.PendingFrames", "rtp.FrameInfo"}


def words(thing: Any) -> str:
    """A docstring without signatures."""
    lines = [line.strip() for line in (thing.__doc__ or "").splitlines()]
    return "\n".join(line for line in lines if line not in GENERATED and not SIGNATURE.match(line))


def short(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[1]


def public_names() -> Iterator[tuple[str, Any]]:
    """Classes and functions; constants are described where they are used."""
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                yield f"{short(module)}.{name}", thing


def members() -> Iterator[tuple[str, Any]]:
    for name, thing in public_names():
        if not isinstance(thing, type) or issubclass(thing, enum.Enum):
            continue
        for member, value in vars(thing).items():
            if not member.startswith("_"):
                yield f"{name}.{member}", value


NAMES = dict(public_names())
MEMBERS = dict(members())


def test_every_module_says_what_it_is_for_and_lists_what_it_gives() -> None:
    for module in MODULES:
        assert len(module.__doc__ or "") > 200, module
        public = {name for name in vars(module) if not name.startswith("_")}
        assert public == set(module.__all__), module
    assert len(NAMES) > 50
    assert len(MEMBERS) > 150


@pytest.mark.parametrize("name", NAMES)
def test_every_class_and_function_is_described(name: str) -> None:
    assert len(words(NAMES[name])) > 30
    assert words(NAMES[name]) != words(enum.IntEnum)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_method_and_property_is_described(name: str) -> None:
    assert len(words(MEMBERS[name])) > 3


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("jitter.")])
def test_what_is_on_the_wire_names_its_specification(name: str) -> None:
    assert (name in OUR_OWN) != bool(SPECIFICATION.search(words(NAMES[name])))


@pytest.mark.parametrize("name", [name for name in NAMES | MEMBERS if "batch" in name])
def test_batches_tell_the_types_of_their_arrays(name: str) -> None:
    text = words((NAMES | MEMBERS)[name])
    assert "uint8" in text or "As " in text
    assert "int" in text


# Errors that each of these can end with, so that nobody finds out in service.
RAISES = {
    "sframe.Sender.protect": "KeyExhaustedError",
    "sframe.Receiver.unprotect": "MalformedError KeyNotFoundError ReplayError AuthenticationError",
    "sframe.Receiver.add_key": "InvalidArgumentError LimitExceededError KeyCommitmentError",
    "sframe.PendingFrames.hold": "MalformedError",
    "srtp.Sender.protect_rtp": "MalformedError LimitExceededError KeyExhaustedError",
    "srtp.Receiver.unprotect_rtp": "AuthenticationError ReplayError TooOldError MalformedError "
    "KeyNotFoundError LimitExceededError KeyExhaustedError",
    "srtp.Receiver.unprotect_rtcp": "NotEncryptedError",
    "rtp.parse_rtp": "MalformedError",
    "rtp.parse_rtcp": "MalformedError",
    "rtp.depacketize": "MalformedError UnsupportedError",
    "rtp.write_nack": "InvalidArgumentError",
    "rtp.Packetizer.packetize": "InvalidArgumentError",
    "jitter.VideoJitterBuffer.insert_batch": "InvalidArgumentError",
    "jitter.AudioJitterBuffer.pop": "InvalidArgumentError",
}


@pytest.mark.parametrize("name", RAISES)
def test_errors_are_named_where_they_are_raised(name: str) -> None:
    text = words((NAMES | MEMBERS)[name])
    assert [error for error in RAISES[name].split() if error not in text] == []
