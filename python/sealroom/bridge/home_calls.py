"""Asks whoever has the answer: the home of a room, or all Bridges on the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sealroom.protocol import ErrorCode, Message, RoomParams

from .actor import BRIDGE
from .errors import RequestError, lives_elsewhere
from .forwarding import Caller, Forwarding, Peer
from .homes import Homes
from .live import RoomRegistry
from .logs import get_logger

SETTLE_TIMEOUT: Final = 5.0
"""Seconds that who removed a member or ended a room waits for the room's home to carry it out."""

_SETTLE_PAUSE: Final = 0.25  # seconds before the home is asked again
SETTLE: Final = "room.settle"
"""Name of the call that asks the home to."""

_Result = TypeVar("_Result", bound=Message)


@dataclass(frozen=True, slots=True)
class Answers(Generic[_Result]):
    """What the Bridges answered, and the public URLs of those that did not.

    This Bridge comes first, with None for itself.
    """

    results: Sequence[tuple[Peer | None, _Result]]
    silent: Sequence[str]


class HomeCalls:
    """For one event loop. What is asked must be served with `Forwarding.serve`."""

    def __init__(self, registry: RoomRegistry, homes: Homes, forwarding: Forwarding) -> None:
        self._registry = registry
        self._homes = homes
        self._forwarding = forwarding

    async def ask_home(
        self, room_id: str, caller: Caller, method: str, params: Message, result: type[_Result]
    ) -> _Result:
        """Have a call carried out where a room lives; here if it lives nowhere.

        Raises:
            RequestError: as `Forwarding.call` says, and what the method refuses.
        """
        peer = await self._home(room_id)
        if peer is not None:
            try:
                return await self._forwarding.call(peer, caller, method, params, result)
            except RequestError as error:
                if error.error is not ErrorCode.ROOM_ELSEWHERE or not self._forwarding.is_possible:
                    raise
            peer = await self._home(room_id)  # it has moved
            if peer is not None:
                return await self._forwarding.call(peer, caller, method, params, result)
        return await self._forwarding.carry_out(caller, method, params, result)

    async def require_home(self, room_id: str) -> None:
        """Return if a room lives here, or nowhere.

        Raises:
            RequestError: ROOM_ELSEWHERE.
        """
        if (peer := await self._home(room_id)) is not None:
            raise lives_elsewhere(peer.url)

    async def ask(
        self,
        peer: Peer | None,
        caller: Caller,
        method: str,
        params: Message,
        result: type[_Result],
    ) -> _Result:
        """Have a call carried out at one Bridge, here if there is none.

        Raises:
            RequestError: as `Forwarding.call` says, and what the method refuses.
        """
        if peer is None:
            return await self._forwarding.carry_out(caller, method, params, result)
        return await self._forwarding.call(peer, caller, method, params, result)

    async def ask_all(
        self, caller: Caller, method: str, params: Message, result: type[_Result]
    ) -> Answers[_Result]:
        """Have a call carried out at every Bridge, all at once.

        Raises:
            RequestError: what this Bridge refuses; another that refuses counts as silent.
        """
        own = await self._forwarding.carry_out(caller, method, params, result)
        peers = await self._homes.others()
        answers = await asyncio.gather(
            *(self._forwarding.call(one, caller, method, params, result) for one in peers),
            return_exceptions=True,
        )
        results: list[tuple[Peer | None, _Result]] = [(None, own)]
        silent = []
        for peer, answer in zip(peers, answers, strict=True):
            if isinstance(answer, RequestError):
                silent.append(peer.url)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                results.append((peer, answer))
        return Answers(results, silent)

    async def settle(self, room_id: str, home: str | None) -> bool:
        """Wait until a room's home has carried out what was stored about the room.

        What is stored holds at once wherever the database is asked; this is about who is in the
        room, and their media. Without a relay nothing is waited for: the home's heartbeat does it.

        Args:
            home: id of the process where the room lived when the change was stored; None: nowhere.

        Returns:
            Whether it has; False after SETTLE_TIMEOUT, and then the heartbeat does it.
        """
        if home is None or home == self._homes.instance:
            return True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_TIMEOUT
        caller = Caller.of(BRIDGE)
        try:
            async with asyncio.timeout_at(deadline):
                while (peer := await self._homes.peer(home)) is not None:
                    try:
                        params = RoomParams(room_id=room_id)
                        await self._forwarding.call(peer, caller, SETTLE, params, RoomParams)
                    except RequestError as error:
                        if error.error is ErrorCode.ROOM_ELSEWHERE:  # there is no relay
                            break
                        await asyncio.sleep(_SETTLE_PAUSE)
                    else:
                        return True
                else:
                    return True  # that Bridge is gone, and media with it
        except TimeoutError:
            pass
        get_logger().warning("the home of a room has not confirmed a change", room=room_id)
        return False

    async def _home(self, room_id: str) -> Peer | None:
        if room_id in self._registry.live:
            return None
        return await self._homes.elsewhere(room_id)
