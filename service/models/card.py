"""A model card: everything that is known of a version, for the person who has to trust it.

After Mitchell et al., Model Cards for Model Reporting (2019), filled in from what is on record
and nothing else: what nobody stated, such as the intended use, is the owner's description.
"""

from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.metrics import LOWER_IS_BETTER
from core.model import Model as Network
from service.jobs.schemas import Verification
from service.kit.schemas import JsonObject, Moment, Response
from service.models import aliases, search, store
from service.models.schemas import Signature
from service.tables import Dataset, Job, Json, ModelVersion

FEW_ROWS = 100
ALWAYS_CALIBRATED = "calibration_error"  # a constant answer has none, and is no better for it


class Figure(Response):
    """One metric beside that of the simplest possible answer."""

    name: str
    value: float
    baseline: float | None
    better: bool | None = Field(description="Than the baseline.")
    low: float | None = Field(description="With 95% confidence it lies between low and high.")
    high: float | None
    linear: float | None = Field(description="The same of linear or logistic regression.")


class TrainedOn(Response):
    """The table a version was trained on."""

    dataset: str | None
    name: str | None
    sha256: str | None
    rows: int | None
    training_rows: int | None
    source: JsonObject | None = Field(description="Licence and origin, of samples and generators.")


class Training(Response):
    """How a version was trained."""

    job: str | None
    seed: int | None
    code_version: str | None
    best_epoch: int | None
    stop_reason: str | None
    seconds: float | None
    network: JsonObject
    preprocessing: JsonObject
    recipe: JsonObject
    environment: JsonObject


class Card(Response):
    """A model card."""

    model: str
    version: int
    created_at: Moment
    task: str
    target: str
    imported: bool = Field(description="Its file came from elsewhere; nobody here trained it.")
    description: str
    tags: dict[str, str]
    aliases: list[str] = Field(description="Those that mean this version now.")
    figures: list[Figure]
    judged_by: str | None = Field(description="`validation` rows, `folds` or `training` rows.")
    judging_rows: int | None
    data: TrainedOn
    training: Training
    signature: Signature
    parameters: int
    bytes: int
    sha256: str
    limits: list[str] = Field(description="What to know before relying on it.")
    verified: Verification | None = Field(
        description="What the last repetition of its training gave; null when nobody asked."
    )
    evaluation: JsonObject | None = Field(
        description="Confusion matrix, or truth beside prediction, of the judging rows."
    )


def collect(session: Session, row: ModelVersion, network: Network) -> Card:
    """The card of a version; `network` is its loaded file."""
    model = store.get(session, row.model)
    job = None if row.job_id is None else session.get(Job, row.job_id)
    evaluation = row.evaluation or {}
    figures = compared(row.metrics, row.baseline, evaluation)
    pointing = [one.alias for one in aliases.of_model(session, row.model)
                if one.version == row.version]  # fmt: skip
    return Card(
        model=row.model,
        version=row.version,
        created_at=row.created_at,
        task=row.task,
        target=row.target,
        imported=bool(row.lineage.get("imported")),
        description=model.description,
        tags=search.tags_of(session, [row.model])[row.model],
        aliases=pointing,
        figures=figures,
        judged_by=evaluation.get("judged_by"),
        judging_rows=evaluation.get("rows"),
        data=_data(session, row, job),
        training=_training(row.lineage, job),
        signature=Signature.model_validate(row.signature),
        parameters=int(network.theta.size),
        bytes=row.bytes,
        sha256=row.sha256,
        limits=_limits(row, figures),
        verified=None if row.verified is None else Verification.model_validate(row.verified),
        evaluation=row.evaluation,
    )


def compared(metrics: Json, baseline: Json, evaluation: Json) -> list[Figure]:
    """Each metric with its interval, beside those of simpler models."""
    intervals, linear = evaluation.get("intervals") or {}, evaluation.get("linear") or {}
    figures = []
    for name, value in metrics.items():
        if not isinstance(value, int | float):
            continue
        other, interval = _number(baseline.get(name)), intervals.get(name) or {}
        better = None
        if other is not None and name != ALWAYS_CALIBRATED:
            better = value < other if name in LOWER_IS_BETTER else value > other
        figures.append(
            Figure(
                name=name,
                value=float(value),
                baseline=other,
                better=better,
                low=_number(interval.get("low")),
                high=_number(interval.get("high")),
                linear=_number(linear.get(name)),
            )
        )
    return figures


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _data(session: Session, row: ModelVersion, job: Job | None) -> TrainedOn:
    sha256 = row.lineage.get("dataset_sha256")
    dataset = session.scalars(select(Dataset).where(Dataset.sha256 == sha256)).one_or_none()
    if dataset is None and job is not None:
        dataset = session.get(Dataset, job.dataset_id)
    return TrainedOn(
        dataset=None if dataset is None else dataset.id,
        name=None if dataset is None else dataset.name,
        sha256=sha256,
        rows=None if dataset is None else dataset.rows,
        training_rows=(row.evaluation or {}).get("training_rows"),
        source=None if dataset is None else dataset.source,
    )


def _training(lineage: Json, job: Job | None) -> Training:
    spec: dict[str, Any] = lineage.get("spec") or {}
    result = (None if job is None else job.result) or {}
    return Training(
        job=None if job is None else job.id,
        seed=lineage.get("seed"),
        code_version=lineage.get("code_version"),
        best_epoch=result.get("best_epoch"),
        stop_reason=result.get("stop_reason"),
        seconds=result.get("training_seconds"),
        network=spec.get("network") or {},
        preprocessing=spec.get("preprocessing") or {},
        recipe=spec.get("training") or {},
        environment=lineage.get("environment") or {},
    )


def _limits(row: ModelVersion, figures: list[Figure]) -> list[str]:
    evaluation = row.evaluation or {}
    judged, rows = evaluation.get("judged_by"), evaluation.get("rows", 0)
    found = []
    if not figures:
        found.append("Nothing is known of how good it is: no metrics are on record.")
    elif judged == "training":
        found.append("Judged by the rows it learned from: the metrics are too good.")
    elif judged == "folds":
        found.append("Judged by cross-validation: by networks of its recipe, each on fewer rows.")
    elif judged == "validation" and rows < FEW_ROWS:
        found.append(f"Judged by {rows} rows of one split only: its metrics are uncertain.")
    else:
        found.append("Judged by one split of the rows; early stopping has looked at the same rows.")
    if (evaluation.get("better_than_linear") or {}).get("verdict") in ("no", "cannot tell"):
        found.append("It is not shown to be better than linear or logistic regression.")
    worse = [figure.name for figure in figures if figure.better is False]
    if worse:
        found.append(f"No better than the simplest answer in {', '.join(worse)}.")
    features = row.signature.get("features", ())
    if any(feature["type"] == "number" for feature in features):
        found.append("Numbers outside the ranges of training are extrapolated, with a warning.")
    if any(feature["type"] == "category" for feature in features):
        found.append("Levels not seen in training are treated as told under preprocessing.")
    return found
