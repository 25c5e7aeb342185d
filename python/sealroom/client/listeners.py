"""Functions that want to be told: each is called, and one that fails harms no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Generic, TypeVarTuple

logger = logging.getLogger(__name__)

ArgumentsT = TypeVarTuple("ArgumentsT")


class Listeners(Generic[*ArgumentsT]):
    """Those of one kind, in the order in which they were added. Event-loop thread only."""

    def __init__(self, what: str) -> None:
        """`what` they are told of, for the log."""
        self._what = what
        self._listeners: list[Callable[[*ArgumentsT], object]] = []

    def add(
        self,
        listener: Callable[[*ArgumentsT], object],
        present: Iterable[tuple[*ArgumentsT]] = (),
    ) -> Callable[[], None]:
        """Adds one and tells it what is `present`.

        Returns a function that ends it, and does nothing when called again.
        """
        self._listeners.append(listener)
        is_added = True
        for arguments in present:
            self._tell(listener, *arguments)

        def end() -> None:
            nonlocal is_added
            if is_added:
                is_added = False
                self._listeners.remove(listener)

        return end

    def tell(self, *arguments: *ArgumentsT) -> None:
        """Calls those there are now."""
        for listener in list(self._listeners):
            self._tell(listener, *arguments)

    def _tell(self, listener: Callable[[*ArgumentsT], object], *arguments: *ArgumentsT) -> None:
        try:
            listener(*arguments)
        except Exception:
            logger.exception("a listener of %s failed", self._what)
