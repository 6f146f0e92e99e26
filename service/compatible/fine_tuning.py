"""OpenAI's fine-tuning jobs, so that the stock `openai` client creates, lists, watches, pauses and
cancels ours: base_url = this service's address with /v1.

https://platform.openai.com/docs/api-reference/fine-tuning. A training file is a data set, the model
to tune is the activation of the hidden layer, `metadata.target` the column to predict.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from core.several import title
from service.compatible.rows import said
from service.jobs import checkpoints, store
from service.jobs.network import LayerRequest
from service.jobs.schemas import JobRequest, JobResponse
from service.jobs.states import State as Stage
from service.jobs.submission import change, submit
from service.jobs.training import AdamRequest
from service.jobs.view import view
from service.kit import schemas
from service.kit.bodies import documented, json_body
from service.kit.dialects import DIALECTS, Dialect
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch
from service.kit.problems import Problem, invalid
from service.state import State, state_of
from service.tables import Event, Job

PREFIX = "/v1/fine_tuning"
TARGET, PREFIX_OF_EVENTS = "target", "ftevent-"
DEFAULT = AdamRequest()
router = APIRouter(prefix=f"{PREFIX}/jobs", tags=["compatible routes"])
JobId = Annotated[str, Path(max_length=64, description="Identifier of a job.", examples=["job_0"])]
Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "identity"]
Auto = Literal["auto"]
_STATUS: dict[str, str] = {
    Stage.QUEUED: "queued", Stage.INTERRUPTED: "queued", Stage.RUNNING: "running",
    Stage.PAUSING: "running", Stage.CANCELLING: "running", Stage.PAUSED: "paused",
    Stage.SUCCEEDED: "succeeded", Stage.FAILED: "failed", Stage.CANCELLED: "cancelled",
}  # fmt: skip


class FineTuningFault(schemas.Response):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str


class FineTuningError(schemas.Response):
    """Any failure."""

    error: FineTuningFault


def _say(problem: Problem) -> dict[str, Any]:
    kind = "invalid_request_error" if problem.type.status < 500 else "server_error"
    param = problem.errors[0].pointer if problem.errors else None
    return {"error": {"message": said(problem), "type": kind, "param": param, "code": problem.slug}}


DIALECTS.append(Dialect(PREFIX, FineTuningError, _say))


class Hyperparameters(schemas.Request):
    """`auto` leaves the choice to the service."""

    n_epochs: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto",
        description="Exactly so many; `auto` ends when the validation loss does not improve.",
    )
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | Auto = "auto"
    learning_rate_multiplier: Annotated[float, Field(gt=0, le=10_000)] | Auto = Field(
        "auto", description=f"Of Adam's {DEFAULT.learning_rate}."
    )


class Supervised(schemas.Request):
    """The one method there is."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(schemas.Request):
    """How to train."""

    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class FineTuningRequest(schemas.Request):
    """A job in OpenAI's words."""

    model: Activation = Field(description="The activation of the hidden layer.")
    training_file: schemas.Text = Field(max_length=64, description="The id of a data set.")
    metadata: dict[str, str] = Field(
        description="`target` names the column to predict; all of it becomes the job's tags.",
        max_length=16,
    )
    suffix: schemas.ModelName | None = Field(None, description="Name of the model to publish.")
    hyperparameters: Hyperparameters | None = None
    method: Method | None = None
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None


class FineTuningJob(schemas.Response):
    """A job in OpenAI's words."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    finished_at: int | None
    estimated_finish: int | None
    status: str = Field(description="A paused job is `paused`.")
    model: str
    fine_tuned_model: str | None = Field(description="`name:version`.")
    training_file: str
    validation_file: None = None
    result_files: tuple[()] = ()
    organization_id: str = "sigmoid"
    hyperparameters: dict[str, Any]
    method: dict[str, Any]
    seed: int
    trained_tokens: None = None
    error: FineTuningFault | None
    metadata: dict[str, str]


class FineTuningEvent(schemas.Response):
    """A line of the log."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] | None


class FineTuningCheckpoint(schemas.Response):
    """A moment of the run that is kept."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuning_job_id: str
    fine_tuned_model_checkpoint: str
    step_number: int = Field(description="Epochs done.")
    metrics: dict[str, float | None]


class Listed(schemas.Response):
    """A page, newest first."""

    object: Literal["list"] = "list"
    has_more: bool


class FineTuningJobs(Listed):
    """Jobs."""

    data: list[FineTuningJob]


class FineTuningEvents(Listed):
    """Events."""

    data: list[FineTuningEvent]


class FineTuningCheckpoints(Listed):
    """Checkpoints."""

    data: list[FineTuningCheckpoint]


EXAMPLE = {
    "model": "sigmoid",
    "training_file": "ds_sample_penguins",
    "suffix": "penguins",
    "metadata": {"target": "species"},
    "hyperparameters": {"n_epochs": 50},
    "seed": 7,
}


@router.post(
    "",
    summary="Create a job as the OpenAI client does",
    openapi_extra=documented(FineTuningRequest, penguins=EXAMPLE),
    responses=answers(
        "malformed-json", "not-found", "too-large", "unsupported-media-type", "job-invalid",
        "job-too-large", "queue-full", *FAILURES,
    ),
)  # fmt: skip
async def create_job(
    request: Request,
    body: Annotated[FineTuningRequest, json_body(FineTuningRequest)],
    once: Idempotent,
) -> FineTuningJob:
    """Queue a job of one hidden layer. `training_file` is a data set's id, `metadata.target` its
    column to predict, `suffix` the model's name.
    """
    return _told(await run_in_threadpool(_create, state_of(request), body, once))


def _create(state: State, body: FineTuningRequest, once: Once) -> JobResponse:
    once.compare(body)
    return submit(state, _asked(body), lambda session, job: once.keep(session, 200, _told(job)))


def _asked(body: FineTuningRequest) -> JobRequest:
    """The job in our own words."""
    if TARGET not in body.metadata:
        raise invalid("/metadata/target", "Name the column to predict.", code="missing")
    given = body.hyperparameters or Hyperparameters()
    if body.method is not None:
        given = body.method.supervised.hyperparameters
    training: dict[str, Any] = {"batch_size": given.batch_size}
    if given.n_epochs != "auto":
        training |= {"epochs": given.n_epochs, "early_stopping": None}
    if given.learning_rate_multiplier != "auto":
        rate = given.learning_rate_multiplier * DEFAULT.learning_rate
        training["optimizer"] = {"name": "adam", "learning_rate": rate}
    layer = LayerRequest(units=16, activation=body.model)
    return JobRequest.model_validate(
        {
            "dataset": body.training_file,
            "target": body.metadata[TARGET],
            "model": body.suffix,
            "network": {"layers": [layer.model_dump()]},
            "training": training,
            "seed": body.seed,
            "tags": body.metadata,
        }
    )


def _told(job: JobResponse) -> FineTuningJob:
    training, layers = job.training, job.network["layers"]
    names = [job.target] if isinstance(job.target, str) else job.target
    used = {
        "n_epochs": training["epochs"],
        "batch_size": training["batch_size"],
        "learning_rate_multiplier": training["optimizer"]["learning_rate"] / DEFAULT.learning_rate,
    }
    error = None
    if job.error is not None:
        error = FineTuningFault(
            message=job.error.message, type="server_error", param=job.error.pointer,
            code=job.error.code,
        )  # fmt: skip
    return FineTuningJob(
        id=job.id,
        created_at=_seconds(job.created_at) or 0,
        finished_at=_seconds(job.finished_at),
        estimated_finish=None,
        status=_STATUS[job.state],
        model=layers[0]["activation"] if layers else "identity",
        fine_tuned_model=f"{job.result.model}:{job.result.version}" if job.result else None,
        training_file=job.dataset,
        hyperparameters=used,
        method={"type": "supervised", "supervised": {"hyperparameters": used}},
        seed=job.seed,
        error=error,
        metadata={TARGET: title(names), **job.tags},
    )


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


@router.get("", summary="List jobs as the OpenAI client does", responses=answers("not-found"))
def list_jobs(request: Request, limit: Limit = 20, after: After = None) -> FineTuningJobs:
    """Training jobs, newest first; `metadata[key]=value` filters by tag."""
    asked = request.query_params
    tags = {
        key[9:-1]: asked[key] for key in asked if key.startswith("metadata[") and key[-1] == "]"
    }
    with state_of(request).database.read() as session:
        found = store.query(state=None, model=None, tags=tags).where(Job.kind == "train")
        rows, more = fetch(session, found, Job.id, limit=limit, after=after)
        return FineTuningJobs(data=[_told(view(session, row)) for row in rows], has_more=more)


@router.get("/{job_id}", summary="Retrieve a job", responses=answers("not-found"))
def retrieve_job(request: Request, job_id: JobId) -> FineTuningJob:
    """The job as it stands."""
    with state_of(request).database.read() as session:
        return _told(view(session, _tuned(session, job_id)))


def _tuned(session: Session, job_id: str) -> Job:
    """A training job; those of other kinds have no such form."""
    job = store.get(session, job_id)
    if job.kind != "train":
        raise Problem("not-found", "There is no such job. It may have been deleted.")
    return job


def _changed(request: Request, job_id: str, move: Callable[[Session, str], Job]) -> FineTuningJob:
    state = state_of(request)
    with state.database.read() as session:
        _tuned(session, job_id)
    return _told(change(state, job_id, move))


CHANGES = answers("not-found", "conflict")


@router.post("/{job_id}/cancel", summary="Cancel a job as OpenAI's", responses=CHANGES)
def cancel_job(request: Request, job_id: JobId) -> FineTuningJob:
    """Ask it to stop."""
    return _changed(request, job_id, store.cancel)


@router.post("/{job_id}/pause", summary="Pause a job as OpenAI's", responses=CHANGES)
def pause_job(request: Request, job_id: JobId) -> FineTuningJob:
    """Set it aside where it is."""
    return _changed(request, job_id, store.pause)


@router.post("/{job_id}/resume", summary="Resume a job as OpenAI's", responses=CHANGES)
def resume_job(request: Request, job_id: JobId) -> FineTuningJob:
    """Let it go on."""
    return _changed(request, job_id, store.resume)


@router.get("/{job_id}/events", summary="List events", responses=answers("not-found"))
def list_events(
    request: Request,
    job_id: JobId,
    limit: Limit = 20,
    after: Annotated[
        str | None,
        Query(pattern=r"^ftevent-\d{1,15}$", description="The last event of the page before."),
    ] = None,
) -> FineTuningEvents:
    """The job's log, newest first."""
    found = select(Event).where(Event.job_id == job_id).order_by(Event.id.desc()).limit(limit + 1)
    if after is not None:
        found = found.where(Event.id < int(after.removeprefix(PREFIX_OF_EVENTS)))
    with state_of(request).database.read() as session:
        _tuned(session, job_id)
        rows = session.scalars(found).all()
    data = [
        FineTuningEvent(
            id=f"{PREFIX_OF_EVENTS}{row.id}",
            created_at=_seconds(row.time) or 0,
            level="warn" if row.level == "warning" else "error" if row.level == "error" else "info",
            message=row.message,
            data=row.data,
        )
        for row in rows[:limit]
    ]
    return FineTuningEvents(data=data, has_more=len(rows) > limit)


@router.get(
    "/{job_id}/checkpoints", summary="List a job's checkpoints", responses=answers("not-found")
)
def list_checkpoints(request: Request, job_id: JobId) -> FineTuningCheckpoints:
    """The moments of the run that are kept, newest first."""
    with state_of(request).database.read() as session:
        _tuned(session, job_id)
        found = checkpoints.known(session, job_id)
    data = [
        FineTuningCheckpoint(
            id=f"{job_id}@{kept.epoch:g}",
            created_at=_seconds(kept.created_at) or 0,
            fine_tuning_job_id=job_id,
            fine_tuned_model_checkpoint=f"{job_id}@{kept.epoch:g}",
            step_number=int(kept.epoch),
            metrics={"train_loss": kept.train_loss, "valid_loss": kept.validation_loss},
        )
        for kept in reversed(found)
    ]
    return FineTuningCheckpoints(data=data, has_more=False)
