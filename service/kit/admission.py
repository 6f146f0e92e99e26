"""Admission: how many requests of each class are at work, and what happens to the others.

Pure ASGI, in front of routing: a request that finds no place waits a moment, and is then told 503
with Retry-After, which costs microseconds. So a service that is asked for ten times what it can
do answers what it can as fast as ever, instead of everything too late. Health checks are never
refused.
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.types import ASGIApp, Receive, Scope, Send

from service.kit.edge import answer
from service.kit.problems import Problem
from service.settings import Settings


class Kind(StrEnum):
    """The classes of requests; each has its own places."""

    CONTROL = "control"  # everything that is nothing else
    PREDICT = "predict"
    UPLOAD = "uploads"
    STREAM = "streams"  # open for long, and idle most of the time


_FREE = re.compile(r"/livez|/readyz|/metrics|/ping|/v2/health/(live|ready)")
_STREAM = re.compile(r"/v1/jobs/[^/]*/stream|/v1/backup")
_UPLOAD = re.compile(r"/v1/datasets|/v1/models/[^/]*/import")
_PREDICT = re.compile(r".*(/predict|:predict|/infer|/invocations)")


def kind_of(scope: Scope) -> Kind | None:
    """The class of a request; None for those that are never refused."""
    path, method = scope["path"], scope["method"]
    if _FREE.fullmatch(path):
        return None
    if _STREAM.fullmatch(path) or any(name == b"prefer" for name, _ in scope["headers"]):
        return Kind.STREAM
    if method == "POST":
        if _PREDICT.fullmatch(path):
            return Kind.PREDICT
        if _UPLOAD.fullmatch(path):
            return Kind.UPLOAD
    return Kind.CONTROL


@dataclass
class Room:
    """Places for requests of one class, and a bounded line in front of it."""

    places: int
    line: int
    patience: float
    taken: int = 0
    waiting: deque["asyncio.Future[None]"] = field(default_factory=deque)
    refused: int = 0

    async def enter(self) -> bool:
        """Take a place, waiting for one a while; False when there is none."""
        if self.taken < self.places:
            self.taken += 1
            return True
        if len(self.waiting) >= self.line:
            self.refused += 1
            return False
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await asyncio.wait_for(turn, self.patience)
        except TimeoutError:
            self.waiting.remove(turn)
            self.refused += 1
            return False
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self.waiting.remove(turn)
            raise
        return True

    def leave(self) -> None:
        """Give the place to the next in line, or free it."""
        for turn in self.waiting:
            if not turn.done():
                self.waiting.remove(turn)
                turn.set_result(None)
                return
        self.taken -= 1


class Admission:
    """Middleware that lets in as many as there are places."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.rooms = rooms(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 503."""
        kind = kind_of(scope) if scope["type"] == "http" else None
        if kind is None:
            await self.app(scope, receive, send)
            return
        room = self.rooms[kind]
        if not await room.enter():
            detail = f"All places for {kind.value} requests are taken."
            headers = {"Retry-After": "5" if kind is Kind.STREAM else "1"}
            await answer(Problem("overloaded", detail, headers=headers), scope, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            room.leave()


def rooms(settings: Settings) -> dict[Kind, Room]:
    """A room a class, as large as the settings say."""
    line, patience = settings.max_waiting_requests, settings.max_wait_seconds
    return {
        Kind.CONTROL: Room(settings.max_control_requests, line, patience),
        Kind.PREDICT: Room(settings.max_predict_requests, line, patience),
        Kind.UPLOAD: Room(settings.max_uploads, line, patience),
        Kind.STREAM: Room(settings.max_streams, 0, 0.0),
    }
