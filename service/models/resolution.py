"""Which version a call means: a number, an alias, or none at all.

    at_hand(name, wanted, key)  from memory: no lock, no file, no database
    find(name, wanted, key)     from the database, and remembered

Every change of the registry advances a clock in the database (`registry_clock`) and stamps the
model it changed. A thread compares that clock twice a second, and at once when the doorbell says
"models", and forgets the models that changed: a swap is live everywhere within a second, and
what has not changed is never read again. While the database is away, what is known stays in use.
"""

import contextlib
import hashlib
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.kit.database import Database
from service.kit.problems import Problem, not_found
from service.tables import Model, ModelVersion, RegistryClock

LATEST = "latest"
SWEEP_SECONDS = 0.5
SETTLE_SECONDS = 0.005  # after a ring; who asks meanwhile looks for himself, who rang goes on
MOST_REMEMBERED = 100_000
REFERENCE = r"^([1-9][0-9]{0,9}|[a-z][a-z0-9._-]{0,63})$"
Wanted = int | str | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version of a model, which never changes. `shadows` are to be compared with its answer."""

    name: str
    version: int
    sha256: str
    shadows: tuple["Resolved", ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """The moving part of one model. `split` ends each version's share, in percent from 0 on."""

    latest: Resolved
    aliases: dict[str, Resolved]
    split: tuple[tuple[int, Resolved], ...]

    def choose(self, wanted: str | None, key: str | None) -> Resolved | None:
        """The version that is meant; None for an alias that is not there."""
        if wanted is None:
            return self._routed(key)
        return self.latest if wanted == LATEST else self.aliases.get(wanted)

    def _routed(self, key: str | None) -> Resolved:
        if len(self.split) == 1:
            return self.split[0][1]
        at = random.randrange(100) if key is None else bucket(self.latest.name, key)  # noqa: S311
        return next(version for end, version in self.split if at < end)


def bucket(name: str, key: str) -> int:
    """Where a routing key falls, 0 to 99: the first 8 bytes of SHA-256("<name>:<key>"), big
    endian, modulo 100. Versions own ranges of buckets in ascending order.

    key: the header's bytes as HTTP reads them, one character a byte, so that they are hashed as
    they were sent.
    """
    digest = hashlib.sha256(f"{name}:{key}".encode("latin-1")).digest()
    return int.from_bytes(digest[:8], "big") % 100


def parse_reference(text: str) -> int | str:
    """A version or alias as it stands in an address that matches REFERENCE."""
    return int(text) if text[0].isdigit() else text


class Names:
    """What every name means now, in memory. One a process; safe in threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live: dict[str, Live] = {}
        self._numbered: dict[tuple[str, int], Resolved] = {}
        self._seen: int | None = None  # the clock up to which changes are known here
        self._rings = self._answered = 0
        self._epoch = 0  # grows with every forgetting, so that no older reading is remembered
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="names", daemon=True)

    def start(self) -> None:
        """Watch for changes that other processes make."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping = True
        self._bell.set()
        self._thread.join(5)

    def rung(self) -> None:
        """Something changed: answer nothing from memory until it is known what."""
        self._rings += 1
        self._bell.set()

    def at_hand(self, name: str, wanted: Wanted = None, key: str | None = None) -> Resolved | None:
        """The version meant, if that is known without asking the database."""
        if self._rings != self._answered:
            return None
        if isinstance(wanted, int):
            return self._numbered.get((name, wanted))
        live = self._live.get(name)
        return None if live is None else live.choose(wanted, key)

    def find(self, name: str, wanted: Wanted = None, key: str | None = None) -> Resolved:
        """The version meant, read if need be. Raises Problem not-found, database-busy."""
        if self._rings != self._answered:
            with contextlib.suppress(Problem):  # with the database away, what is known will do
                self.refresh()
        known = self.at_hand(name, wanted, key)
        if known is not None:
            return known
        epoch = self._epoch
        with self._database.read() as session:
            if isinstance(wanted, int):
                found = read_version(session, name, wanted)
                self._remember(self._numbered, (name, wanted), found, epoch)
                return found
            live = read_live(session, name)
        self._remember(self._live, name, live, epoch)
        chosen = live.choose(wanted, key)
        if chosen is None:
            raise not_found("alias of this model")
        return chosen

    def _remember(self, known: dict[Any, Any], key: object, value: object, epoch: int) -> None:
        with self._lock:
            if epoch == self._epoch:
                if len(known) >= MOST_REMEMBERED:
                    known.clear()
                known[key] = value

    def refresh(self) -> None:
        """Forget what changed since the last time. Raises Problem database-busy."""
        rings, seen = self._rings, self._seen
        try:
            with self._database.read() as session:
                clock = session.get_one(RegistryClock, 1)
                if clock.generation != seen:
                    self._forget(clock, changed_since(session, seen))
        finally:
            self._answered = max(self._answered, rings)

    def _forget(self, clock: RegistryClock, changed: Sequence[str]) -> None:
        with self._lock:
            if self._seen is None or clock.deleted > self._seen:  # rows that are gone name nobody
                self._live.clear()
                self._numbered.clear()
            for name in changed:
                self._live.pop(name, None)
            self._epoch += 1
            self._seen = max(self._seen or 0, clock.generation)

    def _watch(self) -> None:
        while not self._stopping:
            with contextlib.suppress(Problem):
                self.refresh()
            self._bell.wait(SWEEP_SECONDS)
            self._bell.clear()
            time.sleep(SETTLE_SECONDS)


def changed_since(session: Session, seen: int | None) -> Sequence[str]:
    """Names of the models that changed after the clock stood at `seen`."""
    if seen is None:
        return ()
    return session.scalars(select(Model.name).where(Model.generation > seen)).all()


def read_version(session: Session, name: str, number: int) -> Resolved:
    """One version. Raises Problem not-found."""
    found = (ModelVersion.model == name, ModelVersion.version == number)
    sha256 = session.scalar(select(ModelVersion.sha256).where(*found))
    if sha256 is None:
        raise not_found("version of this model")
    return Resolved(name, number, sha256)


_LIVE = text(
    "SELECT 'latest' AS what, '' AS alias, v.version AS version, v.sha256 AS sha256, "
    "       0 AS percent "
    "FROM models m JOIN model_versions v ON v.model = m.name AND v.version = m.latest_version "
    "WHERE m.name = :name "
    "UNION ALL SELECT 'alias', a.alias, v.version, v.sha256, 0 "
    "FROM model_aliases a JOIN model_versions v ON v.model = a.model AND v.version = a.version "
    "WHERE a.model = :name "
    "UNION ALL SELECT CASE WHEN t.shadow THEN 'shadow' ELSE 'share' END, '', v.version, v.sha256, "
    "       t.percent "
    "FROM model_traffic t JOIN model_versions v ON v.model = t.model AND v.version = t.version "
    "WHERE t.model = :name ORDER BY version"
)


def read_live(session: Session, name: str) -> Live:
    """What the name means now, by one statement, which sees one state. Raises not-found."""
    rows = session.execute(_LIVE, {"name": name}).all()
    newest = next((row for row in rows if row.what == "latest"), None)
    if newest is None:
        raise not_found("model")
    latest = Resolved(name, newest.version, newest.sha256)
    aliases = {
        row.alias: Resolved(name, row.version, row.sha256) for row in rows if row.what == "alias"
    }
    shadows = [Resolved(name, row.version, row.sha256) for row in rows if row.what == "shadow"]
    shares = [(row.percent, row.version, row.sha256) for row in rows if row.what == "share"]
    shares = shares or [(100, newest.version, newest.sha256)]
    ends = accumulate(percent for percent, _, _ in shares)
    split = tuple(
        (end, Resolved(name, version, sha256, _others(shadows, version)))
        for end, (_, version, sha256) in zip(ends, shares, strict=True)
    )
    return Live(latest, aliases, split)


def _others(shadows: Sequence[Resolved], version: int) -> tuple[Resolved, ...]:
    return tuple(shadow for shadow in shadows if shadow.version != version)
