"""HTTP for sweeps."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.jobs import store as jobs
from service.jobs.states import FINAL
from service.jobs.submission import change
from service.jobs.waiting import Prefer, ended, preferred
from service.kit.bodies import documented, json_body
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.schemas import Page
from service.state import State, state_of
from service.sweeps import leaderboard, store
from service.sweeps.schemas import (
    ACTIVATIONS_EXAMPLE,
    EXAMPLE,
    ActivationsRequest,
    CurvesResponse,
    SweepRequest,
    SweepResponse,
)
from service.sweeps.submission import activations, submit
from service.sweeps.view import view
from service.tables import Job

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"])
SweepId = Annotated[
    str, Path(max_length=64, description="Identifier of a sweep.", examples=["job_sweep"])
]
REFUSALS = answers(
    "malformed-json", "not-found", "too-large", "unsupported-media-type", "invalid-request",
    "job-invalid", "job-too-large", "queue-full", "storage-full", *FAILURES,
)  # fmt: skip
RESPONSES = {
    200: {"model": SweepResponse, "description": "With `Prefer: wait=N`: it ended in time."},
    **REFUSALS,
}


@router.post(
    "",
    summary="Start a sweep",
    status_code=202,
    openapi_extra=documented(SweepRequest, penguins=EXAMPLE),
    responses=RESPONSES,
)
async def start_sweep(
    request: Request,
    response: Response,
    body: Annotated[SweepRequest, json_body(SweepRequest)],
    once: Idempotent,
    prefer: Prefer = None,
) -> SweepResponse:
    """Train many networks on the same rows, rank them, and publish the best. A worker's processors
    share the networks; each that has ended is on disk, so that a sweep which is cut off goes on
    from there. A sweep is a job: it waits, pauses, is cancelled and streams like one.
    """
    return await _started(request, response, body, once, prefer, None)


@router.post(
    "/activations",
    summary="Ask which activation is best",
    status_code=202,
    openapi_extra=documented(ActivationsRequest, penguins=ACTIVATIONS_EXAMPLE),
    responses=RESPONSES,
)
async def ask_for_activation(
    request: Request,
    response: Response,
    body: Annotated[ActivationsRequest, json_body(ActivationsRequest)],
    once: Idempotent,
    prefer: Prefer = None,
) -> SweepResponse:
    """Which activation for my data? Every activation with every depth, each from several seeds on
    equal splits. `answer` says it in words, the leaderboard in numbers, `/curves` how they learned.
    """
    return await _started(request, response, activations(body), once, prefer, "activation")


async def _started(
    request: Request,
    response: Response,
    body: SweepRequest,
    once: Once,
    prefer: str | None,
    question: str | None,
) -> SweepResponse:
    state = state_of(request)
    sweep_id = await run_in_threadpool(submit, state, body, once, question)
    response.headers["Location"] = f"/v1/sweeps/{sweep_id}"
    seconds = preferred(prefer)
    if seconds is not None and (await ended(state, sweep_id, seconds)).state in FINAL:
        response.status_code = 200
        response.headers["Preference-Applied"] = f"wait={seconds}"
    return await run_in_threadpool(_read, state, sweep_id)


@router.get("", summary="List sweeps")
def list_sweeps(
    request: Request, response: Response, limit: Limit = 20, after: After = None
) -> Page[SweepResponse]:
    """Sweeps, newest first."""
    with state_of(request).database.read() as session:
        found = select(Job).where(Job.kind == "sweep")
        rows, more = fetch(session, found, Job.id, limit=limit, after=after)
        items = [view(session, row) for row in rows]
    return page(items, [row.id for row in rows], more, request, response)


@router.get("/{sweep_id}", summary="Show a sweep", responses=answers("not-found"))
def show_sweep(request: Request, sweep_id: SweepId) -> SweepResponse:
    """The sweep and its leaderboard, as far as it is."""
    return _read(state_of(request), sweep_id)


@router.get("/{sweep_id}/curves", summary="Show how they learned", responses=answers("not-found"))
def show_curves(request: Request, sweep_id: SweepId) -> CurvesResponse:
    """Of each candidate, best first: curves with bands over its repeats, and per layer the norm of
    the gradient and the saturation.
    """
    with state_of(request).database.read() as session:
        job = store.get(session, sweep_id)
        found = leaderboard.ranked(store.trials(session, job.id), job.spec["sweep"])
    return CurvesResponse(data=leaderboard.curves(found))


@router.post(
    "/{sweep_id}/cancel",
    summary="Cancel a sweep",
    status_code=202,
    responses=answers("not-found", "conflict"),
)
def cancel_sweep(request: Request, sweep_id: SweepId) -> SweepResponse:
    """Ask a sweep to stop; what has ended stays in its leaderboard, nothing is published. 409 from
    another final state.
    """
    state = state_of(request)

    def cancel(session: Session, sweep: str) -> Job:
        return jobs.cancel(session, store.get(session, sweep).id)

    change(state, sweep_id, cancel)
    return _read(state, sweep_id)


def _read(state: State, sweep_id: str) -> SweepResponse:
    with state.database.read() as session:
        return view(session, store.get(session, sweep_id))
