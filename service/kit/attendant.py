"""Threads beside the agent of jobs, each with one kind of work and a doorbell of its own."""

import logging
import select
import threading
import time

from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.kit.problems import Problem
from service.settings import Settings

_log = logging.getLogger("sigmoid.worker")


class Attendant:
    """Does steps while there are any, then sleeps until its doorbell rings.

    word: the only one it wakes at; any when None. settle: seconds that it rests after a ring, so
    that whoever rang goes on undisturbed, and many rings are one.
    """

    def __init__(
        self, settings: Settings, name: str, *, word: str | None = None, settle: float = 0.0
    ) -> None:
        self.settings = settings
        self.database = Database(settings.url)
        self.doorbell = Doorbell(settings.folder("run"), word)
        self.stopping = False
        self._settle = settle
        self._thread = threading.Thread(target=self._work, name=name)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Bring the step under way to its end, and end."""
        self.stopping = True
        self.doorbell.wake()
        self._thread.join()
        self.doorbell.close()
        self.database.close()

    def step(self) -> bool:
        """Do one thing; False when there is nothing to do. Raises Problem."""
        raise NotImplementedError

    def _work(self) -> None:
        while not self.stopping:
            try:
                if self.step():
                    continue
            except Problem as problem:  # the database is busy or away
                _log.warning("database: %s", problem.detail)
            select.select([self.doorbell], [], [], self.settings.sweep_seconds)
            self.doorbell.heard()
            time.sleep(self._settle)
