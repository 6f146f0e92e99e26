"""HTTP for jobs."""

import csv
import io
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from service.jobs import checkpoints, log, store
from service.jobs.schemas import (
    EXAMPLE,
    PREPARED,
    QUANTILES,
    SEVERAL,
    CheckpointResponse,
    CheckpointsResponse,
    EventResponse,
    EventsResponse,
    JobRequest,
    JobResponse,
    MetricsResponse,
)
from service.jobs.states import State as JobState
from service.jobs.stream import Cursor, frames
from service.jobs.submission import change, submit
from service.jobs.thinning import thin
from service.jobs.view import view
from service.jobs.waiting import Prefer, answer, read
from service.kit.bodies import documented, json_body
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.schemas import Page
from service.state import State, state_of
from service.tables import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JobId = Annotated[str, Path(max_length=64, description="Identifier of a job.", examples=["job_0"])]


@router.post(
    "",
    summary="Submit a training job",
    status_code=202,
    openapi_extra=documented(
        JobRequest, penguins=EXAMPLE, prepared=PREPARED, several=SEVERAL, quantiles=QUANTILES
    ),
    responses={
        200: {"model": JobResponse, "description": "With `Prefer: wait=N`: the job ended in time."},
        **answers(
            "malformed-json", "not-found", "too-large", "unsupported-media-type",
            "invalid-request", "job-invalid", "job-too-large", "queue-full", "storage-full",
            *FAILURES,
        ),
    },
)  # fmt: skip
async def submit_job(
    request: Request,
    response: Response,
    body: Annotated[JobRequest, json_body(JobRequest)],
    once: Idempotent,
    prefer: Prefer = None,
) -> JobResponse:
    """Queue a job. Only `dataset` and `target` are required; the answer echoes every value as
    resolved, the seed among them. The job is on disk when the answer comes.
    """
    state = state_of(request)
    job = await run_in_threadpool(_submit, state, body, once)
    return await answer(state, job, prefer, response)


def _submit(state: State, body: JobRequest, once: Once) -> JobResponse:
    once.compare(body)

    def keep(session: Session, job: JobResponse) -> None:
        once.keep(session, 202, job, f"/v1/jobs/{job.id}")

    return submit(state, body, keep if once.is_asked else None)


@router.get("", summary="List jobs")
def list_jobs(
    request: Request,
    response: Response,
    limit: Limit = 20,
    after: After = None,
    status: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    model: Annotated[
        str | None, Query(max_length=100, description="Only jobs of this model.")
    ] = None,
) -> Page[JobResponse]:
    """Jobs, newest first. `tag.<key>=<value>` filters by tag."""
    tags = {key[4:]: value for key, value in request.query_params.items() if key.startswith("tag.")}
    with state_of(request).database.read() as session:
        found = store.query(state=status, model=model, tags=tags)
        rows, more = fetch(session, found, Job.id, limit=limit, after=after)
        items = [view(session, row) for row in rows]
    return page(items, [row.id for row in rows], more, request, response)


@router.get("/{job_id}", summary="Show a job", responses=answers("not-found"))
def show_job(request: Request, job_id: JobId) -> JobResponse:
    """The job as resolved, its progress and its result."""
    return read(state_of(request), job_id)


@router.get(
    "/{job_id}/metrics",
    summary="Read the learning curve",
    response_model=MetricsResponse,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **answers("not-found", "not-acceptable"),
    },
)
def read_metrics(
    request: Request,
    job_id: JobId,
    max_points: Annotated[
        int, Query(ge=10, le=10_000, description="Longer curves keep the extremes of each stretch.")
    ] = 1_000,
) -> Any:
    """Loss and score of training and validation, gradient norms and saturation per layer, per
    epoch. JSON, or CSV with `Accept: text/csv`.
    """
    with state_of(request).database.read() as session:
        store.get(session, job_id)
        points = thin(store.epochs(session, job_id), max_points)
    if "text/csv" in request.headers.get("accept", ""):
        return Response(_csv(points), media_type="text/csv")
    return {"data": points}


def _csv(points: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if points:
        lists = {name for name, value in points[0].items() if isinstance(value, list)}
        header: list[str] = []
        for name, value in points[0].items():
            header += [f"{name}.{i}" for i in range(len(value))] if name in lists else [name]
        writer.writerow(header)
        for point in points:
            row: list[Any] = []
            for name, value in point.items():
                row += value if name in lists else [value]
            writer.writerow(row)
    return out.getvalue()


@router.get("/{job_id}/events", summary="Read the log", responses=answers("not-found"))
def read_events(
    request: Request,
    job_id: JobId,
    after: Annotated[int, Query(ge=0, le=2**53, description="The last event id known.")] = 0,
    limit: Limit = 100,
) -> EventsResponse:
    """The job's durable log, oldest first."""
    with state_of(request).database.read() as session:
        store.get(session, job_id)
        found = log.events(session, job_id, after=after, limit=limit + 1)
    data = [
        EventResponse.model_validate(
            {name: getattr(event, name) for name in EventResponse.model_fields}
        )
        for event in found[:limit]
    ]
    return EventsResponse(data=data, has_more=len(found) > limit)


@router.get(
    "/{job_id}/stream",
    summary="Watch a job live",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events `snapshot`, `epoch`, `finding`, `status` and "
            "`done`. Only `finding` and `status` carry an id; `Last-Event-ID` resumes after it "
            "without gap or repeat.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **answers("not-found", "overloaded"),
    },
)
async def stream_job(
    request: Request,
    job_id: JobId,
    last_event_id: Annotated[
        str | None, Header(pattern=r"^\d{1,15}$", description="Resume after this event.")
    ] = None,
) -> StreamingResponse:
    """Epochs and state changes the moment they are on disk; a comment every 15 s keeps it open."""
    state = state_of(request)
    await run_in_threadpool(read, state, job_id)
    cursor = Cursor(job_id, int(last_event_id or 0))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames(state, cursor), media_type="text/event-stream", headers=headers)


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    status_code=202,
    responses=answers("not-found", "conflict"),
)
def cancel_job(request: Request, job_id: JobId) -> JobResponse:
    """Ask a job to stop: waiting ones at once, running ones within a moment. Twice is once; 409
    when it has already succeeded or failed. Once this is answered the job ends `cancelled`.
    """
    return change(state_of(request), job_id, store.cancel)


@router.post(
    "/{job_id}/pause",
    summary="Pause a job",
    status_code=202,
    responses=answers("not-found", "conflict"),
)
def pause_job(request: Request, job_id: JobId) -> JobResponse:
    """Let a job stand: waiting ones at once, running ones when they have saved where they are.
    Twice is once; 409 from a final state. A job that ends before it could pause has ended.
    """
    return change(state_of(request), job_id, store.pause)


@router.post(
    "/{job_id}/resume",
    summary="Resume a job",
    status_code=202,
    responses=answers("not-found", "conflict"),
)
def resume_job(request: Request, job_id: JobId) -> JobResponse:
    """Let a paused job go on from where it was, to the same weights as if it had never paused.
    Jobs that wait or run are left as they are; 409 from a final state.
    """
    return change(state_of(request), job_id, store.resume)


@router.get("/{job_id}/checkpoints", summary="List checkpoints", responses=answers("not-found"))
def list_checkpoints(request: Request, job_id: JobId) -> CheckpointsResponse:
    """The moments of the run that are kept: the newest few, and the best."""
    with state_of(request).database.read() as session:
        store.get(session, job_id)
        found = checkpoints.known(session, job_id)
    best = checkpoints.best(found)
    return CheckpointsResponse(
        data=[
            CheckpointResponse(
                epoch=kept.epoch,
                best_epoch=kept.best_epoch,
                train_loss=kept.train_loss,
                validation_loss=kept.validation_loss,
                training_seconds=kept.seconds,
                size_bytes=kept.size,
                sha256=kept.sha256,
                created_at=kept.created_at,
                best=kept is best,
                last=kept is found[-1],
            )
            for kept in found
        ]
    )
