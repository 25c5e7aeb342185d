"""Sends the examples of docs/examples to a Bridge and compares what comes back.

The notation is described in docs/examples/README.md. Every example gets a Bridge of its own,
so that none depends on another but by its "before".
"""

import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from bridge_support import Client, World, open_world

from sealroom.access import record_hash
from sealroom.identity import Identity
from sealroom.protocol import (
    RoomView,
)

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
ANYTHING = "<...>"
_NAME = re.compile(r"<([^<>]+)>\Z")


def load(name: str) -> dict[str, Any]:
    """Read an example by its name, which is that of its file."""
    example: dict[str, Any] = msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())
    return example


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class Stage:
    """A Bridge, the people of the examples, and what the placeholders stand for by now."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known: dict[str, Any] = {"context": world.context_id}
        self._clients: dict[str, Client] = {}
        self._strangers: dict[str, Identity] = {}
        self._played: set[str] = set()
        self._payload = self._signer = ""  # of the newest payload, where no type or author says it

    async def client(self, name: str) -> Client:
        """The connection of alice or bob, of an administrator ("admin"), or of "nobody" yet."""
        if name not in self._clients:
            if name in ("nobody", "admin"):
                self._clients[name] = await self.world.connect()
            else:
                self._clients[name] = await self.world.user(name)
            if name == "admin":
                key = await self.world.bridge.admin.create_api_key("example")
                await self._clients[name].call("auth.admin", api_key=key)
        return self._clients[name]

    def identity(self, user_id: str) -> Identity:
        """Of a user, or of somebody who is none yet."""
        registered = self.world.identities.get(user_id)
        return registered or self._strangers.setdefault(user_id, Identity.generate())

    async def play(self, step: str) -> None:
        """Send an example, after those it names.

        "room.join as alice" is the bare request, by her, and its result is not compared. What was
        sent before is not sent again.
        """
        if step in self._played:
            return
        if step == "(the media server cuts bob from a track)":
            for participant_id, tracks in self.world.media.subscriptions.items():
                self.world.media.on_data_cut(participant_id, tracks[0])
            return
        if step == "(the media server loses a transport of bob's)":
            for participant_id in self.world.media.subscriptions:
                self.world.media.on_transport_failed(participant_id, "subscriber")
            return
        name, _, other = step.partition(" as ")
        example = load(name)
        self._played.add(step)
        for earlier in [] if other else example.get("before", []):
            await self.play(earlier)
        actor = other or example["as"]
        params = await self.fill(example["params"], actor)
        result = await (await self.client(actor)).call(name, params)
        if name in ("auth.login", "auth.resume"):  # who was nobody is the user who signed
            self._clients[self._signer] = self._clients.pop("nobody")
        if not other:
            self.compare(example["result"], msgspec.to_builtins(result), name)

    async def receive(self, name: str) -> None:
        """Cause an event as its example says and compare what its receiver gets."""
        example = load(f"event.{name}")
        await self.client(example["to"])  # connected before it happens
        for step in [*example.get("before", []), example["after"]]:
            await self.play(step)
        receiver = await self.client(example["to"])
        while True:
            envelope, data = await receiver.event()
            if envelope.type == name:
                break
        assert envelope.context_id == self.world.context_id
        self.compare(example["data"], msgspec.to_builtins(data), name)

    async def fill(self, value: Any, actor: str) -> Any:
        """Replace the placeholders of what is sent."""
        if isinstance(value, dict):
            filled = {key: await self.fill(one, actor) for key, one in value.items()}
            if filled.get("signature") == "<signature>":
                filled["signature"] = self._sign(filled, actor)
            return filled
        if isinstance(value, list):
            return [await self.fill(one, actor) for one in value]
        name = _NAME.fullmatch(value) if isinstance(value, str) else None
        if name is None or value == "<signature>":
            return value
        return await self._value(name[1], actor)

    def _sign(self, signed: dict[str, Any], actor: str) -> str:
        author = signed.get("author", self._signer)
        payload = base64.b64decode(signed["payload"])
        signature = self.identity(author).sign(signed.get("type", self._payload), payload)
        return in_base64(signature)

    async def _value(self, name: str, actor: str) -> Any:
        kind, _, rest = name.partition(" of ")
        if name in self.known:
            return self.known[name]
        if kind == "payload":
            payload = await self.fill(load(f"payload.{rest}"), actor)
            self._payload, self._signer = rest, payload.get("user_id", "")
            return in_base64(msgspec.json.encode(payload))
        if kind in self.makers():
            return self.makers()[kind](rest)
        if name == "hash of the newest record":
            client = await self.client("alice")
            room: RoomView = (await client.call("room.get", room_id="lecture")).room
            return in_base64(record_hash(room.record.payload))
        if name == "new challenge":
            challenge = {"context_id": self.world.context_id, "user_id": "alice"}
            answer = await (await self.client(actor)).call("auth.challenge", challenge)
            return in_base64(answer.nonce)
        if name == "api key":
            return await self.world.bridge.admin.create_api_key("of an example")
        raise AssertionError(
            f"{actor} sends <{name}>, which stands for nothing: results and events before it gave "
            f"{sorted(self.known)}; {__file__} can make {sorted(self.makers())}"
        )

    def makers(self) -> dict[str, Callable[[str], Any]]:
        """What the test puts in place of `<kind of whom>`."""
        return {
            "identity": lambda who: self.identity(who).public.encode(),
            "fingerprint": lambda who: in_base64(self.identity(who).public.fingerprint),
            "commitment": lambda epoch: in_base64(epoch.encode().ljust(32, b"\0")),
            "nonce": lambda stream: in_base64(stream.encode().ljust(16, b"\0")[:16]),
            "sealed secret": lambda whom: in_base64(f"sealed to {whom}".encode()),
            "ciphertext": lambda what: in_base64(f"encrypted {what}".encode()),
        }

    def compare(self, example: Any, actual: Any, path: str) -> None:
        """Check a result against its example; a placeholder not known before is known then."""
        if isinstance(example, dict) and isinstance(actual, dict):
            assert example.keys() == actual.keys(), f"{path}: docs/examples says {sorted(example)}"
            for key, one in example.items():
                self.compare(one, actual[key], f"{path}.{key}")
            return
        if isinstance(example, list) and isinstance(actual, list):
            assert len(example) == len(actual), f"{path}: {actual}"
            for index, one in enumerate(example):
                self.compare(one, actual[index], f"{path}[{index}]")
            return
        name = _NAME.fullmatch(example) if isinstance(example, str) else None
        if example == ANYTHING:
            assert actual is not None, path
        elif name is None:
            assert actual == example, path
        else:
            assert actual == self.known.setdefault(name[1], actual), path


@asynccontextmanager
async def open_stage(**config: Any) -> AsyncIterator[Stage]:
    """A Bridge whose context has the users alice, bob and mallory, and nothing else."""
    async with open_world(**config) as world:
        yield Stage(world)
