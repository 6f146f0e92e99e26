"""From what a caller asked to a sweep that will run: every value of every dimension is tried on
the job, so that none is found wrong later.
"""

from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from service.datasets import store as datasets
from service.jobs import store as jobs
from service.jobs.resolution import Resolution, resolve
from service.jobs.schemas import JobRequest
from service.kit.disk import require_room
from service.kit.idempotency import Once
from service.kit.problems import FieldError, Problem
from service.settings import Settings
from service.state import State
from service.sweeps.schemas import MOST_NETWORKS, ActivationsRequest, SweepRequest
from service.sweeps.space import applied, read, size
from service.sweeps.view import view
from service.tables import Dataset, Job, Json

_FIXED = "/training/validation"  # equal rows make losses comparable


def submit(state: State, body: SweepRequest, once: Once, question: str | None = None) -> str:
    """Queue a sweep and wake the workers; returns its id. The answer is kept for the request's key.

    Raises Problem not-found, job-invalid, job-too-large, queue-full, storage-full.
    """
    once.compare(body, question)
    require_room(state.settings)
    with state.database.read() as session:
        dataset = datasets.get(session, body.job.dataset)
    resolution = resolve(body.job, dataset, state.settings)
    _check_job(resolution.spec)
    space = _resolved(body, dataset, state.settings)
    points = size(space)
    trials = points if body.method == "grid" and points is not None else body.trials
    if trials * body.repeats > MOST_NETWORKS:
        detail = f"Expected at most {MOST_NETWORKS} networks: points times repeats."
        raise _invalid("/trials", detail, "too_many")
    most = state.settings.max_seconds
    plan = {
        "space": space,
        "method": body.method,
        "trials": trials,
        "repeats": body.repeats,
        "seconds": min(body.seconds or most, most),
        "seed": resolution.spec["seed"],
        "question": question,
    }
    with state.database.write() as session:
        job = _queue(session, body.job, resolution, plan, state.settings)
        if once.is_asked:
            once.keep(session, 202, view(session, job), f"/v1/sweeps/{job.id}")
    state.changes.doorbell.ring(job.id)
    return job.id


def _queue(
    session: Session, asked: JobRequest, resolution: Resolution, plan: Json, settings: Settings
) -> Job:
    return jobs.submit(
        session,
        dataset_id=datasets.require(session, asked.dataset),
        model=resolution.model,
        spec={**resolution.spec, "sweep": plan},
        warnings=resolution.warnings,
        tags=dict(asked.tags),
        priority=asked.priority,
        max_queued=settings.max_queued,
        kind="sweep",
        share=asked.tags.get(settings.fair_share_tag or "", ""),
    )


def _check_job(spec: Json) -> None:
    validation = spec["training"]["validation"] or {}
    if "fraction" not in validation:
        detail = "A sweep judges by rows set apart; give validation a fraction."
        raise _invalid("/job/training/validation", detail, "needs_fraction")


def _resolved(body: SweepRequest, dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """The space with every value as a resolved job has it."""
    asked = {**body.job.model_dump(mode="json"), "seed": 0}
    space = {}
    for path, dimension in body.space.items():
        ((kind, values),) = dimension.model_dump().items()
        where = f"/space/{path.replace('~', '~0').replace('/', '~1')}/{kind}"
        if path.startswith(_FIXED):
            raise _invalid(where, "This is the same for all networks of a sweep.", "fixed")
        if kind != "choice" and body.method == "grid":
            raise _invalid(where, "A grid is of choices; list the values.", "not_countable")
        space[path] = {
            kind: [
                _taken(asked, path, value, f"{where}/{at}", dataset, settings)
                for at, value in enumerate(values)
            ]
        }
    return space


def _taken(
    asked: dict[str, Any], path: str, value: Any, where: str, dataset: Dataset, settings: Settings
) -> Any:
    """The value as a job with it is resolved. Raises Problem where no job may have it."""
    try:
        request = JobRequest.model_validate(applied(asked, {path: value}))
        spec = resolve(request, dataset, settings).spec
        return read(spec, path)
    except LookupError:
        detail = "The job has no such field, or has null there; name it in the job."
        raise _invalid(where, detail, "no_such_field") from None
    except ValidationError as error:
        detail = f"{error.errors(include_input=False)[0]['msg']}."
        raise _invalid(where, detail, "not_allowed") from None
    except Problem as problem:
        detail = problem.errors[0].detail if problem.errors else problem.detail
        raise Problem(problem.slug, detail, [FieldError(where, detail, "not_allowed")]) from None


def _invalid(where: str, detail: str, code: str) -> Problem:
    return Problem("job-invalid", detail, [FieldError(where, detail, code)])


def activations(body: ActivationsRequest) -> SweepRequest:
    """The sweep that answers which activation is best."""
    layers = [
        [{"units": body.units, "activation": name}] * depth
        for name in dict.fromkeys(body.activations)
        for depth in sorted(set(body.depths))
    ]
    return SweepRequest.model_validate(
        {
            "job": {
                "dataset": body.dataset,
                "target": body.target,
                "features": body.features,
                "model": body.model,
                "training": {
                    "epochs": body.epochs,
                    "optimizer": {"name": "adam", "learning_rate": body.learning_rate},
                    "early_stopping": None,
                },
                "seed": body.seed,
            },
            "space": {"/network/layers": {"choice": layers}},
            "method": "grid",
            "repeats": body.repeats,
        }
    )
