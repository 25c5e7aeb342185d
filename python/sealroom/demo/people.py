"""The context of the demo: a Bridge, its users, and a room for two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sealroom.bridge.server import RunningBridge
from sealroom.client import Connection, StreamApi, UserIdentity
from sealroom.identity import AllowList, Identity

USERS: Final = ("alice", "bob", "mallory")
LOOPBACK: Final = ["127.0.0.1"]
PRIVATE_META: Final = b'{"title": "Between alice and bob"}'


@dataclass
class Person:
    """A logged-in user."""

    user_id: str
    identity: Identity
    connection: Connection
    api: StreamApi

    async def leave(self) -> None:
        """Leaves all rooms and logs out."""
        await self.api.close()
        await self.connection.close()


@dataclass
class Company:
    """Everybody, and the id of their context."""

    context_id: str
    people: dict[str, Person]

    async def leave(self) -> None:
        """Logs everybody out."""
        for person in self.people.values():
            await person.leave()


async def gather_company(bridge: RunningBridge) -> Company:
    """Makes a context with alice, bob and mallory and logs each in with an identity of their own.

    They know each other's keys from this program, not from the Bridge.
    """
    context = await bridge.admin.context_create("Demo")
    identities = {user_id: Identity.generate() for user_id in USERS}
    trust = AllowList({user_id: identity.public for user_id, identity in identities.items()})
    people: dict[str, Person] = {}
    for user_id, identity in identities.items():
        await bridge.admin.user_add(context.context_id, user_id, identity.public)
        connection = await Connection.connect(
            bridge.url,
            identity=identity,
            user_id=user_id,
            context_id=context.context_id,
            trust=trust,
        )
        api = StreamApi(connection, host_addresses=LOOPBACK)
        people[user_id] = Person(user_id, identity, connection, api)
    return Company(context.context_id, people)


async def make_room(company: Company) -> str:
    """Has alice make a room for herself and bob, with private metadata; returns its id."""
    alice, bob = company.people["alice"], company.people["bob"]
    return await alice.api.create_stream_room(
        company.context_id,
        users=[UserIdentity("bob", bob.identity.public)],
        public_meta=b"sealroom demo",
        private_meta=PRIVATE_META,
    )
