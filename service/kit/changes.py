"""Waiting for changes, in the API's event loop: doorbell rings turned into wake-ups."""

import asyncio
from collections.abc import Callable

from service.kit.doorbell import EVERYTHING, Doorbell


class Changes:
    """Lets coroutines sleep until something about a job changes, or the service stops."""

    def __init__(self, doorbell: Doorbell, on_publish: Callable[[], None]) -> None:
        self.doorbell = doorbell
        self.draining = False
        self._on_publish = on_publish
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def start(self) -> None:
        """Listen in the running loop."""
        asyncio.get_running_loop().add_reader(self.doorbell.fileno(), self._heard)

    def stop(self) -> None:
        """Wake everybody for the last time."""
        asyncio.get_running_loop().remove_reader(self.doorbell.fileno())
        self.drain()
        self.doorbell.close()

    def drain(self) -> None:
        """Tell every waiting coroutine to come to its end."""
        self.draining = True
        for word in list(self._waiting):
            self._wake(word)

    def watch(self, word: str) -> "Watch":
        """Rings about `word` are remembered from now on, so none between two looks is missed."""
        return Watch(self, word)

    def _heard(self) -> None:
        words = self.doorbell.heard()
        if not words.isdisjoint(("models", EVERYTHING)):
            self._on_publish()
        for word in list(self._waiting) if EVERYTHING in words else words:
            self._wake(word)

    def _wake(self, word: str) -> None:
        for future in self._waiting.get(word, ()):
            if not future.done():
                future.set_result(None)


class Watch:
    """One coroutine's interest in one word."""

    def __init__(self, changes: Changes, word: str) -> None:
        self._changes = changes
        self._word = word

    def __enter__(self) -> "Watch":
        self._arm()
        return self

    def _arm(self) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes._waiting.setdefault(self._word, set()).add(self._future)

    def _disarm(self) -> None:
        waiting = self._changes._waiting
        waiting[self._word].discard(self._future)
        if not waiting[self._word]:
            del waiting[self._word]

    async def changed(self, timeout: float) -> None:
        """Return at a ring since the last call, when the service drains, or after the timeout."""
        if not self._changes.draining:
            await asyncio.wait([self._future], timeout=timeout)
        if self._future.done():
            self._disarm()
            self._arm()

    def __exit__(self, *_: object) -> None:
        self._disarm()
