"""HTTP for explanations: what each column of a row adds to the answer."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from core.errors import DataError
from core.explanation import explain, is_explainable
from core.model import Model
from core.targets import Classes, Label
from service.kit import schemas
from service.kit.bodies import documented, json_body
from service.kit.openapi import answers
from service.kit.problems import FieldError, Problem
from service.models.addresses import Name, Reference
from service.models.resolution import Wanted, parse_reference
from service.predictions.answering import rows_invalid
from service.predictions.schemas import EXAMPLE
from service.state import State, state_of

router = APIRouter(prefix="/v1/models", tags=["models"])
MOST_ROWS = 100
Row = schemas.JsonObject | list[Any]
_ROUTE: dict[str, Any] = {
    "responses": answers(
        "malformed-json", "not-found", "too-large", "unsupported-media-type", "invalid-request",
        "rows-invalid", "model-unreadable", "conflict",
    ),
}  # fmt: skip


class ExplanationRequest(schemas.Request):
    """Rows as for a prediction."""

    rows: list[Row] = Field(min_length=1, max_length=MOST_ROWS)
    label: str | int | bool | None = Field(
        None, description="The label whose probability is explained; default: the likeliest."
    )
    baseline: Row | None = Field(
        None,
        description="A row to compare with. Default: every input at 0, which is the mean of "
        "standardised numbers, and no level of the others.",
    )


class RowExplanation(schemas.Response):
    """Of one row."""

    label: str | int | bool | None = Field(description="Whose probability; null for a value.")
    baseline: float = Field(description="What the model answers for the baseline.")
    answer: float = Field(description="What it answers for the row.")
    contributions: dict[str, float] = Field(
        description="What each column adds; together they are answer - baseline."
    )
    residual: float = Field(description="What they miss of it, by the error of the integral.")


class ExplanationResponse(schemas.Response):
    """One explanation a row, in order."""

    model: str
    version: int
    method: str = "integrated gradients"
    explanations: list[RowExplanation]


@router.post(
    "/{name}/explain",
    summary="Explain answers of the latest version",
    openapi_extra=documented(ExplanationRequest, penguin=EXAMPLE),
    **_ROUTE,
)
async def explain_latest(
    request: Request,
    name: Name,
    body: Annotated[ExplanationRequest, json_body(ExplanationRequest)],
) -> ExplanationResponse:
    """What each column of a row adds to the answer, against a baseline: integrated gradients
    (Sundararajan et al. 2017). The parts sum up to the difference of the answers. 409 for models
    of several targets, of quantiles, and of quantities learned on a curve.
    """
    return await run_in_threadpool(_explained, state_of(request), name, "latest", body)


@router.post(
    "/{name}/versions/{version}/explain",
    summary="Explain answers of a version",
    openapi_extra=documented(ExplanationRequest, penguin=EXAMPLE),
    **_ROUTE,
)
async def explain_version(
    request: Request,
    name: Name,
    version: Reference,
    body: Annotated[ExplanationRequest, json_body(ExplanationRequest)],
) -> ExplanationResponse:
    """As the shorter address, of one version."""
    wanted = parse_reference(version)
    return await run_in_threadpool(_explained, state_of(request), name, wanted, body)


def _explained(
    state: State, name: str, wanted: Wanted, body: ExplanationRequest
) -> ExplanationResponse:
    shelved = state.shelf.fetch(name, wanted)
    model = shelved.model
    if not is_explainable(model):
        detail = "Only classes, and a single quantity without a curve, are explained."
        raise Problem("conflict", detail)
    try:
        x = model.inputs(body.rows)
        prediction = model.predict_records(body.rows)
    except DataError as error:
        raise rows_invalid(error) from None
    baseline = None if body.baseline is None else _baseline(model, body.baseline)
    labels = None if prediction.labels is None else prediction.labels.tolist()
    which = [0] * len(x) if labels is None else _which(model, body.label, labels)
    names = model.preprocessor.names
    told = [
        RowExplanation(
            label=None if labels is None else cast(Classes, model.target).labels[one],
            baseline=found.baseline,
            answer=found.answer,
            contributions=dict(zip(names, found.parts.tolist(), strict=True)),
            residual=found.residual,
        )
        for one, found in zip(which, explain(model, x, baseline, which), strict=True)
    ]
    return ExplanationResponse(model=name, version=shelved.version, explanations=told)


def _baseline(model: Model, row: Row) -> Any:
    try:
        return model.inputs([row])[0]
    except DataError as error:
        field = FieldError("/baseline", str(error), error.code)
        raise Problem("rows-invalid", str(error), [field]) from None


def _which(model: Model, label: Label | None, likeliest: list[int]) -> list[int]:
    if label is None:
        return likeliest
    known = cast(Classes, model.target).labels
    places = [at for at, one in enumerate(known) if one == label and type(one) is type(label)]
    if not places:
        field = FieldError("/label", "The model has no such label.", "unknown_label")
        raise Problem("invalid-request", field.detail, [field])
    return places * len(likeliest)
