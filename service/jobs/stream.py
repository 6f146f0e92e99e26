"""A job's life as server-sent events, complete across reconnects.

Durable events (the job's log) carry their id; `Last-Event-ID` resumes after it. Epoch points and
snapshots carry none: after a reconnect the snapshot says where the run is.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool

from service.jobs import log, store
from service.jobs.states import FINAL
from service.jobs.view import view
from service.kit.problems import Problem
from service.state import State

HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 3600.0
_BATCH = 1_000


class Cursor:
    """What one listener has been told already."""

    def __init__(self, job_id: str, after_event: int) -> None:
        self.job_id = job_id
        self.event = after_event
        self.epoch = 0
        self.ended = False

    def news(self, state: State, *, first: bool) -> list[bytes]:
        """Everything since the last call, read in one transaction."""
        with state.database.read() as session:
            job = store.get(session, self.job_id)
            events = log.events(session, self.job_id, after=self.event, limit=_BATCH)
            points = store.epochs(session, self.job_id, after=self.epoch, limit=_BATCH)
            shown = view(session, job)
        out = [_frame("snapshot", shown.model_dump(mode="json"))] if first else []
        if points:
            self.epoch = points[-1]["epoch"]
            out.append(_frame("epoch", {"points": points}))
        for event in events:
            self.event = event.id
            data = {"type": event.type, "level": event.level, "message": event.message}
            if event.type == "finding":
                out.append(_frame("finding", {**data, "finding": event.data}, event.id))
                continue
            out.append(_frame("status", {**data, "job": shown.model_dump(mode="json")}, event.id))
        self.ended = job.state in FINAL and len(points) < _BATCH and len(events) < _BATCH
        if self.ended:
            out.append(_frame("done", shown.model_dump(mode="json")))
        return out


def _frame(event: str, data: Any, event_id: int | None = None) -> bytes:
    prefix = b"" if event_id is None else f"id: {event_id}\n".encode()
    return prefix + f"event: {event}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


async def frames(state: State, cursor: Cursor) -> AsyncIterator[bytes]:
    """The stream itself: news when a doorbell rings, a comment when nothing happens for long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_SECONDS
    spoke = loop.time()
    with state.changes.watch(cursor.job_id) as watch:
        first = True
        while not cursor.ended:
            try:
                news = await run_in_threadpool(cursor.news, state, first=first)
                failed = False
            except Problem:
                news, failed = [], True  # the database is busy or the job was deleted: silence
            first = first and not news
            if news:
                yield b"".join(news)
                spoke = loop.time()
            if cursor.ended:
                return
            if state.changes.draining or loop.time() > end:
                yield b": the service restarts or this stream is old; reconnect\n\n"
                return
            if loop.time() - spoke >= HEARTBEAT_SECONDS:
                yield b": still here\n\n"
                spoke = loop.time()
            # Rings are not lost (see the doorbell), so an idle stream asks nothing meanwhile.
            silence = HEARTBEAT_SECONDS - (loop.time() - spoke)
            await watch.changed(state.settings.sweep_seconds if failed else silence)
