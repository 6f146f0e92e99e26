"""HTTP for evaluations: a version judged by any data set."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from service.datasets import store as datasets
from service.kit import schemas
from service.kit.bodies import documented, json_body
from service.kit.openapi import answers
from service.models.addresses import Name, Reference
from service.models.resolution import Wanted, parse_reference
from service.models.schemas import Intervals
from service.state import State, state_of

router = APIRouter(prefix="/v1/models", tags=["models"])
EXAMPLE = {"dataset": "ds_sample_penguins", "group_by": "island"}
_ROUTE: dict[str, Any] = {
    "responses": answers(
        "malformed-json", "not-found", "too-large", "unsupported-media-type", "invalid-request",
        "rows-invalid", "model-unreadable",
    ),
}  # fmt: skip


class EvaluationRequest(schemas.Request):
    """Which rows are to judge."""

    dataset: Annotated[schemas.Text, Field(max_length=64)]
    group_by: schemas.ColumnName | None = Field(
        None, description="A column: its levels, or quarters of its numbers, are judged apart."
    )


class Thresholds(schemas.Response):
    """A class against the rest, by threshold of its probability, highest first."""

    threshold: list[float]
    recall: list[float]
    false_positive_rate: list[float] = Field(description="With recall it is the ROC curve.")
    precision: list[float] = Field(description="Over recall it is the precision-recall curve.")


class CalibrationBin(schemas.Response):
    """How confident the model was, and how often that happened."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float


class Group(schemas.Response):
    """Some of the rows."""

    group: str | None = Field(description="Null where the column is missing.")
    rows: int
    metrics: schemas.JsonObject


class EvaluationResponse(schemas.Response):
    """What a version is worth on the rows of a data set."""

    model: str
    version: int
    dataset: str
    rows: int
    every: int = Field(description="Of more than 100,000 rows every so many judge; else 1.")
    skipped: int = Field(description="Rows without a target.")
    metrics: schemas.JsonObject
    intervals: Intervals
    evidence: schemas.JsonObject = Field(
        description="Of classes a confusion matrix: rows are the truth. Of numbers residuals."
    )
    per_class: schemas.JsonObject | None
    curves: dict[str, Thresholds | None] | None = Field(
        description="By class, against the rest; of two, of the second. Null without both kinds."
    )
    calibration: list[CalibrationBin] | None = Field(
        description="Of the likeliest class; of two classes, of the second."
    )
    group_by: str | None
    groups: list[Group] | None


@router.post(
    "/{name}/evaluate",
    summary="Evaluate the latest version",
    openapi_extra=documented(EvaluationRequest, penguins=EXAMPLE),
    **_ROUTE,
)
async def evaluate_latest(
    request: Request,
    name: Name,
    body: Annotated[EvaluationRequest, json_body(EvaluationRequest)],
) -> EvaluationResponse:
    """Metrics with intervals on any data set that has the model's columns and its target: the
    confusion matrix, ROC and precision-recall by threshold, calibration, residuals, and groups.
    Rows that the model learned from flatter it; use others.
    """
    return await run_in_threadpool(_evaluated, state_of(request), name, "latest", body)


@router.post(
    "/{name}/versions/{version}/evaluate",
    summary="Evaluate a version",
    openapi_extra=documented(EvaluationRequest, penguins=EXAMPLE),
    **_ROUTE,
)
async def evaluate_version(
    request: Request,
    name: Name,
    version: Reference,
    body: Annotated[EvaluationRequest, json_body(EvaluationRequest)],
) -> EvaluationResponse:
    """As the shorter address, of one version."""
    wanted = parse_reference(version)
    return await run_in_threadpool(_evaluated, state_of(request), name, wanted, body)


def _evaluated(
    state: State, name: str, wanted: Wanted, body: EvaluationRequest
) -> EvaluationResponse:
    from service.models.evaluation import evaluate  # PyArrow: 40 MB that others need not

    shelved = state.shelf.fetch(name, wanted)
    with state.database.read() as session:
        dataset = datasets.get(session, body.dataset)
    path = state.settings.folder("datasets") / f"{dataset.sha256}.parquet"
    found = evaluate(shelved, dataset, path, body.group_by)
    whose = {"model": name, "version": shelved.version, "dataset": dataset.id}
    return EvaluationResponse.model_validate({**whose, **found})
