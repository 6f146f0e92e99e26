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
    match = _PREFER.search(prefer or "")
    if match is not None:
        job = await _wait(state, job, min(int(match[1]), MAX_WAIT))
        if job.state in FINAL:
            response.status_code = 200
            response.headers["Preference-Applied"] = match[0]
    return job


def read(state: State, job_id: str) -> JobResponse:
    """The job as it stands. Raises Problem not-found."""
    with state.database.read() as session:
        return view(session, store.get(session, job_id))


async def _wait(state: State, job: JobResponse, seconds: int) -> JobResponse:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with state.changes.watch(job.id) as watch:
        while True:
            job = await run_in_threadpool(read, state, job.id)
            left = end - loop.time()
            if job.state in FINAL or left <= 0 or state.changes.draining:
                return job
            await watch.changed(min(left, state.settings.sweep_seconds))
