"""What is given to the core, a frame, a message or a key, is never part of an error's text."""

# Wrong types are given on purpose here: each ignored type is the mistake under test.
from __future__ import annotations

import enum
import inspect
import re
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from sealroom import _core, privmx, rtp, sframe, srtp
from sealroom._core import jitter, sfu
from sealroom._core.session import MediaSession

TEXT = "my secret chat message, which is nobody's business"
NUMBER = 12345678901234567890 * 10**20


class Secretive:
    def __repr__(self) -> str:
        return TEXT


CANARIES = {"str": TEXT, "bytes": TEXT.encode(), "int": NUMBER, "object": Secretive()}
SHOWN = re.compile(r"my secret|which is nobody|12345678901234567890")

SUITE = sframe.AES_128_GCM_SHA256_128
PROFILE = srtp.Profile.AEAD_AES_128_GCM
# Methods are called on these, so that they get as far as their own checks.
OBJECTS: dict[type, Callable[[], object]] = {
    sframe.Sender: lambda: sframe.Sender(suite=SUITE, key_id=1, base_key=bytes(16)),
    sframe.Receiver: lambda: sframe.Receiver(suite=SUITE),
    sframe.PendingFrames: sframe.PendingFrames,
    sframe.MlsKeyIdLayout: lambda: sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=8),
    privmx.KeyStore: privmx.KeyStore,
    privmx.DataReceiver: privmx.DataReceiver,
    srtp.Sender: lambda: srtp.Sender(profile=PROFILE, master=bytes(28)),
    srtp.Receiver: lambda: srtp.Receiver(profile=PROFILE, master=bytes(28)),
    rtp.Packetizer: lambda: rtp.Packetizer("vp8"),
    rtp.HeaderExtensions: rtp.HeaderExtensions,
    rtp.RedEncoder: rtp.RedEncoder,
    jitter.VideoJitterBuffer: lambda: jitter.VideoJitterBuffer("vp8"),
    jitter.AudioJitterBuffer: lambda: jitter.AudioJitterBuffer(clock_rate=48000),
    MediaSession: MediaSession,
    sfu.Router: sfu.Router,
    sfu.RouterTransport: lambda: sfu.Router().create_transport(extensions={}),
}
# What lets a call get to the argument that is wrong.
SAMPLES: dict[str, object] = {
    "codec": "vp8",
    "format": "vp8",
    "kind": "audio",
    "clear_header": "by_kind",
    "backend": None,
    "suite": SUITE,
    "profile": PROFILE,
    "key_id": 1,
    "fd": -1,
    "sizes": memoryview(b"\1\0\0\0").cast("i"),
}
PARAMETER = re.compile(r"(?:^|, )(\w+): ([^=()]+?)(?: = [^,]+)?(?=, \w+: |, \*|\)|$)")


def members(scope: Any) -> Iterator[tuple[str, Any]]:
    """The functions, classes and methods of the extension."""
    for name, thing in vars(scope).items():
        if isinstance(thing, ModuleType):
            yield from ((f"{name}.{inner}", call) for inner, call in members(thing))
        elif isinstance(thing, type):
            if issubclass(thing, enum.Enum):
                continue  # Python's own
            yield name, thing
            make = OBJECTS.get(thing)
            for method, value in vars(thing).items():
                if isinstance(value, property) and value.fset:
                    yield f"{name}.{method}=", value.fset
                elif callable(value) and (not method.startswith("__") or method in OPERATORS):
                    # A new object each time, whatever the call before did.
                    bound = make and (
                        lambda *a, make=make, method=method, **k: getattr(make(), method)(*a, **k)
                    )
                    if bound:
                        bound.__doc__ = value.__doc__
                    yield f"{name}.{method}", bound or value
        elif callable(thing):
            yield name, thing


OPERATORS = {"__init__", "__contains__", "__getitem__", "__eq__"}
CALLS = dict(members(_core))


def sample(name: str, annotation: str) -> object:
    if name in SAMPLES:
        return SAMPLES[name]
    kinds = {"Buffer": b"0123", "bool": False, "str": "mid", "Sequence": [], "Mapping": {}}
    return next((value for kind, value in kinds.items() if kind in annotation), 1)


def arguments(call: Any, canary: object) -> Iterator[tuple[tuple[object, ...], dict[str, object]]]:
    for count in range(1, 6):
        yield (canary,) * count, {}
    documented = call.__init__ if isinstance(call, type) else call
    signature = (inspect.getdoc(documented) or "").split(" -> ")[0]
    parameters = [p for p in PARAMETER.findall(signature.partition("(")[2]) if p[0] != "self"]
    rest = {name: sample(name, annotation) for name, annotation in parameters}
    for name in rest:
        yield (), {**rest, name: canary}
    yield (), {"no_such_argument": canary}


def shown(error: BaseException) -> str:
    """All that a log could print of an error."""
    text = [str(error), repr(error)]
    for cause in (error.__cause__, error.__context__):
        text += [shown(cause)] if cause else []
    return "\n".join(text)


@pytest.mark.parametrize("name", CALLS)
def test_no_error_shows_what_was_given(name: str) -> None:
    call = CALLS[name]
    for kind, canary in CANARIES.items():
        for positional, named in arguments(call, canary):
            try:
                call(*positional, **named)
            except Exception as error:  # which one it is matters to other tests
                text = shown(error)
                assert not SHOWN.search(text), (kind, named, text[:2000])
                assert "Invoked with" not in text


def test_all_of_the_extension_is_walked() -> None:
    assert len(CALLS) > 300
    assert {"sframe.Sender.protect", "rtp.serialize_rtp", "net.IoThread"} <= set(CALLS)


def test_a_wrong_call_tells_what_is_taken_and_what_types_came() -> None:
    sender = sframe.Sender(suite=SUITE, key_id=1, base_key=bytes(16))
    with pytest.raises(TypeError) as caught:
        sender.protect(TEXT, metadata=3.5)  # type: ignore[arg-type]
    text = str(caught.value)
    assert text.startswith("protect(): incompatible function arguments.")
    assert "plaintext: " in text
    assert text.endswith("\nGot: (Sender, str, metadata=float)")


def test_a_frame_of_a_megabyte_makes_no_message_of_megabytes() -> None:
    with pytest.raises(TypeError) as caught:
        rtp.serialize_rtp(
            bytes(1 << 20), payload_type=96, sequence_number=1 << 64, timestamp=0, ssrc=7
        )
    assert len(str(caught.value)) < 2000


def test_an_argument_name_that_is_no_text_is_refused_like_any_other() -> None:
    with pytest.raises((TypeError, UnicodeEncodeError)):
        sframe.Receiver(suite=SUITE).remove_key(**{"\ud800": 1})  # type: ignore[arg-type]


def test_a_transport_keeps_its_router_and_extensions_of_another_type_end_in_a_type_error() -> None:
    router = sfu.Router()
    kept = weakref.ref(router)
    with pytest.raises(TypeError, match=r"Got: \(Router, extensions=str\)"):
        router.create_transport(extensions="mid")  # type: ignore[arg-type]
    transport = router.create_transport(extensions={})
    del router
    assert kept() is not None
    del transport
    assert kept() is None
