"""`Idempotency-Key`: a creating POST that may be sent twice and creates once.

A route takes `Once` as a dependency and calls it three times:

    once.compare(body)                    a repeated request ends here, with the stored answer
    with database.write() as session:
        …create…
        once.keep(session, 202, shown)    the key, in the transaction that creates the resource

While a request with a key runs, its process holds a lock of the operating system on the key, so
a twin is told 409 by whichever process it reaches, and a killed process leaves nothing locked.
After draft-ietf-httpapi-idempotency-key-header-07, with keys unquoted too.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import struct
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from service.kit.database import Database
from service.kit.problems import Problem
from service.tables import IdempotencyKey

LONGEST = 255
_SWEPT = 2
_BARE = re.compile(r"[\x21-\x7e]+")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class Answer:
    """What was answered the first time."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Replayed(Exception):
    """The request was answered before; `service.kit.failures` sends the same answer again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Once:
    """One creating request. Without a key nothing is compared or kept."""

    def __init__(self, database: Database, lock: "KeyLock", scope: str, seconds: float) -> None:
        self._database = database
        self._lock = lock
        self._scope = scope
        self._seconds = seconds
        self._fingerprint = ""

    @property
    def is_asked(self) -> bool:
        """Whether the request has a key, so that its answer is to be kept."""
        return bool(self._scope)

    def compare(self, *asked: object) -> None:
        """Look the key up. `asked` is all that the request says: models, plain values, and the
        paths of files it sent.

        Raises Replayed where the same was asked before, and Problem idempotency-key-reused
        where it was something else, or idempotency-in-progress where nobody has answered yet.
        """
        if not self._scope:
            return
        self._fingerprint = fingerprint(*asked)
        is_ours = self._lock.take(self._scope)
        with self._database.read() as session:
            known = session.get(IdempotencyKey, self._scope)
        if known is None or known.created_at.timestamp() < time.time() - self._seconds:
            if not is_ours:
                detail = "The first request with this key is not answered yet. Retry in a moment."
                raise Problem("idempotency-in-progress", detail, headers={"Retry-After": "1"})
            return
        if known.fingerprint != self._fingerprint:
            detail = "This key was used with another request. Use a fresh key for a new one."
            raise Problem("idempotency-key-reused", detail)
        raise Replayed(Answer(known.status, known.body.encode(), known.headers))

    def keep(
        self, session: Session, status: int, shown: BaseModel, location: str | None = None
    ) -> None:
        """Store the answer beside what it tells of, in one transaction."""
        if not self._scope:
            return
        session.flush()
        oldest = datetime.now(UTC) - timedelta(seconds=self._seconds)
        expired = select(IdempotencyKey.scope).where(IdempotencyKey.created_at < oldest)
        gone = IdempotencyKey.scope.in_(expired.limit(_SWEPT))  # two go for one that comes
        session.execute(delete(IdempotencyKey).where((IdempotencyKey.scope == self._scope) | gone))
        values = {
            "scope": self._scope,
            "fingerprint": self._fingerprint,
            "status": status,
            "body": shown.model_dump_json(),
            "headers": {} if location is None else {"Location": location},
            "created_at": datetime.now(UTC),
        }
        session.execute(insert(IdempotencyKey), [values])


def fingerprint(*asked: object) -> str:
    """A digest of what was asked, whatever the order of keys and the space between them."""
    plain = json.dumps([_plain(one) for one in asked], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(asked: object) -> object:
    if isinstance(asked, BaseModel):
        return asked.model_dump(mode="json", exclude_unset=True)
    if isinstance(asked, Path):
        with asked.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return asked


def parse_key(values: list[str]) -> str | None:
    """The key of a request's headers; None without one. Raises Problem malformed-request."""
    if not values:
        return None
    raw = values[0].strip()
    quoted = _QUOTED.fullmatch(raw)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else raw
    well_formed = bool(quoted) or (not raw.startswith('"') and bool(_BARE.fullmatch(raw)))
    if len(values) > 1 or not well_formed or not 0 < len(key) <= LONGEST:
        detail = f"{_HEADER} is one value of 1 to {LONGEST} visible ASCII characters."
        raise Problem("malformed-request", detail)
    return key


class KeyLock:
    """At most one lock on a key, until closed.

    One byte of a file that is never written stands for the key: 62 bits of its digest. The lock
    belongs to the open file (F_OFD_SETLK), so it works between threads as between processes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "idempotency.lock"
        self._descriptor: int | None = None

    def take(self, scope: str) -> bool:
        """Whether the lock is ours now; False when somebody else has it."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, int(scope[:16], 16) >> 2, 1, 0)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, lock)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return False
        return True

    def close(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Makes the request safe to repeat: the same key and body get the stored "
            "answer again, with `Idempotent-Replayed: true`, and nothing is created twice. 1 to "
            "255 visible ASCII characters, quoted or bare; a UUID does.",
        ),
    ] = None,
) -> AsyncIterator[Once]:
    held = request.app.state.held
    key = parse_key(request.headers.getlist(_HEADER))
    lock = KeyLock(held.settings.folder("run"))
    try:
        scope = "" if key is None else _scope_of(request, key)
        yield Once(held.database, lock, scope, held.settings.idempotency_seconds)
    finally:
        lock.close()


def _scope_of(request: Request, key: str) -> str:
    """Keys of different callers and of different routes have nothing to do with each other."""
    caller = getattr(request.state, "caller", "")
    told = [caller, request.method, request.scope["path"], key]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


Idempotent = Annotated[Once, Depends(_once, scope="function")]
FAILURES = ("malformed-request", "idempotency-in-progress", "idempotency-key-reused")
