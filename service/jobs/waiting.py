"""`Prefer: wait=N` (RFC 7240): answering when a job has ended, or its time is up."""

import asyncio
import re
from typing import Annotated

from fastapi import Header, Response
from starlette.concurrency import run_in_threadpool

from service.jobs import store
from service.jobs.schemas import JobResponse
from service.jobs.states import FINAL
from service.jobs.view import view
from service.state import State

MAX_WAIT = 60
_PREFER = re.compile(r"\bwait=(\d{1,4})\b")
Prefer = Annotated[
    str | None,
    Header(
        max_length=256,
        description="`wait=N`: answer when the job has ended, at most N ≤ 60 seconds.",
        examples=["wait=30"],
    ),
]


async def answer(
    state: State, job: JobResponse, prefer: str | None, response: Response
) -> JobResponse:
    """The job's answer: 202 at once, or 200 if it ended while the caller wanted to wait."""
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    seconds = preferred(prefer)
    if seconds is not None:
        job = await ended(state, job.id, seconds)
        if job.state in FINAL:
            response.status_code = 200
            response.headers["Preference-Applied"] = f"wait={seconds}"
    return job


def preferred(prefer: str | None) -> int | None:
    """The seconds that a caller wants to wait."""
    match = _PREFER.search(prefer or "")
    return None if match is None else min(int(match[1]), MAX_WAIT)


def read(state: State, job_id: str) -> JobResponse:
    """The job as it stands. Raises Problem not-found."""
    with state.database.read() as session:
        return view(session, store.get(session, job_id))


async def ended(state: State, job_id: str, seconds: int) -> JobResponse:
    """The job when it has ended, or the seconds are over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with state.changes.watch(job_id) as watch:
        while True:
            job = await run_in_threadpool(read, state, job_id)
            left = end - loop.time()
            if job.state in FINAL or left <= 0 or state.changes.draining:
                return job
            await watch.changed(min(left, state.settings.sweep_seconds))
