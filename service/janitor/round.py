"""The janitor: a round of all steps every few minutes, in the worker's process.

Steps are small transactions; a round that is cut off anywhere is begun again by the next one.
Several workers may make rounds at once: whoever comes second finds nothing.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from service.janitor import steps
from service.kit.database import Database
from service.kit.problems import Problem
from service.settings import Settings

_log = logging.getLogger("sigmoid.worker")
STEPS: tuple[Callable[[Session, Settings], int], ...] = (
    steps.forget_keys, steps.forget_deliveries, steps.forget_events,
)  # fmt: skip
MOST_STEPS = 2_000  # of one kind in a round: a long backlog is worked off over several


class Janitor:
    """Makes rounds until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings.url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="janitor")
        self._thinned_to = datetime.fromtimestamp(0, UTC)

    def start(self) -> None:
        """Begin to make rounds."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way."""
        self._ended.set()
        self._thread.join()
        self._database.close()

    def _work(self) -> None:
        while not self._ended.wait(self._settings.janitor_seconds):
            try:
                self.round()
            except Problem as problem:  # the database is busy or away
                _log.warning("database: %s", problem.detail)
            except OSError as error:
                _log.warning("janitor: %s", error.strerror)

    def round(self) -> None:
        """Do every step until there is nothing left for it."""
        for step in STEPS:
            self._repeat(lambda step=step: self._committed(step))  # type: ignore[misc]
        self._repeat(self._forget_checkpoints)
        self._repeat(self._thin_curves)
        steps.sweep_unfinished(self._settings)
        steps.sweep_tables(self._database, self._settings)
        steps.sweep_checkpoints(self._database, self._settings)
        self._repeat(lambda: steps.give_space_back(self._database))

    def _repeat(self, step: Callable[[], int]) -> None:
        for _ in range(MOST_STEPS):
            if self._ended.is_set() or not step():
                return

    def _committed(self, step: Callable[[Session, Settings], int]) -> int:
        with self._database.write() as session:
            return step(session, self._settings)

    def _forget_checkpoints(self) -> int:
        with self._database.write() as session:
            count, files = steps.forget_checkpoints(session, self._settings)
        for name in files:
            (self._settings.folder("checkpoints") / name).unlink(missing_ok=True)
        return count

    def _thin_curves(self) -> int:
        """A batch of the jobs that ended after those of the last batch."""
        with self._database.read() as session:
            found = steps.old_curves(session, self._settings, self._thinned_to)
        for job_id, ended in found:
            with self._database.write() as session:
                steps.thin_curve(session, self._settings, job_id)
            self._thinned_to = ended
        return len(found)
