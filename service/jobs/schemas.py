"""Jobs as they come in and go out."""

from typing import Annotated, Any, Literal

from pydantic import Field

from service.jobs.network import NetworkRequest
from service.jobs.preprocessing import PreprocessingRequest
from service.jobs.states import State
from service.jobs.training import TrainingRequest
from service.kit.schemas import (
    ColumnName,
    JsonObject,
    ModelName,
    Moment,
    Request,
    Response,
    Text,
)
from service.models.schemas import Comparison, Intervals, Linear

TaskName = Literal["regression", "binary", "multiclass", "multilabel"]
ClassWeight = (
    Literal["balanced"] | Annotated[dict[ColumnName, Annotated[float, Field(gt=0, le=1e6)]],
                                    Field(min_length=1, max_length=500)]
)  # fmt: skip
MOST_TARGETS = 100
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]


class JobRequest(Request):
    """A training job. Only `dataset` and `target` are required."""

    dataset: Annotated[Text, Field(max_length=64)]
    target: (
        ColumnName | Annotated[list[ColumnName], Field(min_length=1, max_length=MOST_TARGETS)]
    ) = Field(
        description="What to predict: a column, or several at once, which are then all numbers "
        "or all have two values (multilabel)."
    )
    model: ModelName | None = Field(
        None, description="Name to publish under; default: from the target."
    )
    task: TaskName | Literal["auto"] = "auto"
    features: list[ColumnName] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Default: every usable column but the target.",
    )
    weights_column: ColumnName | None = Field(
        None, description="A column of numbers from 0: what each row counts for."
    )
    class_weight: ClassWeight | None = Field(
        None,
        description="What a row counts for in the loss by its class; balanced: all classes the "
        "same together. By label, those left out count 1.",
    )
    preprocessing: PreprocessingRequest = PreprocessingRequest()
    network: NetworkRequest = NetworkRequest()
    training: TrainingRequest = TrainingRequest()
    seed: Seed | None = Field(None, description="Chosen and echoed when not given.")
    priority: int = Field(0, ge=-100, le=100, description="Higher runs first.")
    tags: dict[
        Annotated[Text, Field(min_length=1, max_length=64)], Annotated[Text, Field(max_length=256)]
    ] = Field(default_factory=dict, max_length=20)


class Warned(Response):
    """Something worth knowing that did not stop the job."""

    code: str
    message: str
    column: str | None = None


class Progress(Response):
    """How far a job is."""

    epoch: float = Field(description="Epochs done; in the middle of one it has a fraction.")
    epochs: int
    fraction: float
    eta_seconds: float | None
    rows_per_second: float | None


class JobError(Response):
    """Why a job failed."""

    code: str
    message: str
    pointer: str | None = None


class Verification(Response):
    """Whether training again gave the very same weights."""

    identical: bool = Field(description="Every weight, bit for bit.")
    same_file: bool = Field(
        description="The whole file too, with what it says of its code's version."
    )
    differing: int = Field(description="How many weights differ.")
    largest_difference: float | None = Field(
        description="Between two weights; null when the networks have other shapes."
    )
    code_version: str = Field(description="Of the program that repeated the training.")
    environment: JsonObject = Field(description="Where it was repeated.")
    job: str
    at: Moment


class JobResult(Response):
    """What a succeeded job gave."""

    model: str
    version: int
    metrics: JsonObject
    baseline: JsonObject = Field(
        description="The same metrics for always answering the majority or the mean."
    )
    intervals: Intervals
    linear: Linear
    better_than_linear: Comparison | None = None
    train_metrics: JsonObject = Field(
        default_factory=dict, description="The same metrics of the rows it learned from."
    )
    per_class: JsonObject | None = Field(
        None, description="Precision, recall, F1 and rows (or their weight) of each class."
    )
    per_output: JsonObject | None = Field(
        None,
        description="Of several targets: each one's metrics, baseline and linear. Of several "
        "quantiles: each one's pinball loss, and the share of rows at or below it.",
    )
    folds: JsonObject | None = Field(
        None,
        description="Of cross-validation: each fold's metrics, and over all their mean, deviation "
        "and 95% interval.",
    )
    best_epoch: int
    stop_reason: str
    training_seconds: float
    verified: Verification | None = Field(None, description="Of a job that verifies a version.")


class StateChange(Response):
    """When a job came into a state, why, and by whom."""

    state: State
    time: Moment
    cause: str
    actor: str = Field(description="client, a worker, or the reaper of dead workers' jobs.")


class JobResponse(Response):
    """A job: every value as resolved, and where it stands."""

    id: str
    kind: Literal["train", "verify", "sweep"] = Field(
        description="verify: repeats the training of a version and compares the weights. sweep: "
        "trains many and publishes the best; see `/v1/sweeps`."
    )
    state: State
    dataset: str
    target: str | list[str]
    model: str
    task: TaskName
    features: list[str]
    weights_column: str | None = None
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    preprocessing: JsonObject
    network: JsonObject
    training: JsonObject
    seed: int
    priority: int
    tags: dict[str, str]
    warnings: list[Warned]
    progress: Progress
    queue_position: int | None = Field(description="1 is next; null unless waiting.")
    estimated_start_at: Moment | None = Field(
        description="From how fast jobs ended lately; null unless waiting, or when none has."
    )
    attempts: int = Field(description="How often a worker took it.")
    timings: dict[State, float] = Field(description="Seconds spent in each state.")
    history: list[StateChange] = Field(description="Every state it came into, oldest first.")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    result: JobResult | None
    error: JobError | None


class Histogram(Response):
    """How many values lie in equal steps from low to high."""

    low: float
    high: float
    counts: list[int]


class Histograms(Response):
    """Per layer, input side first."""

    activations: list[Histogram]
    gradients: list[Histogram] = Field(description="Of log10 of the gradient's sizes.")
    zeros: list[int] = Field(description="Gradients that are exactly 0, which have no logarithm.")


class EpochPoint(Response):
    """What one epoch measured."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    train_score: float = Field(
        description="Accuracy of classes, R² of numbers, D² of quantiles and counts."
    )
    validation_score: float | None
    learning_rate: float
    gradient_norms: list[float] = Field(description="Per layer, input side first.")
    saturation: list[float] = Field(
        description="Per hidden layer: share of activations whose slope nearly vanishes (< 5%)."
    )
    update_ratio: list[float] = Field(
        description="Per layer: size of the update over the weights'."
    )
    dead_units: list[float] = Field(
        default_factory=list,
        description="Per hidden layer: share of units whose slope nearly vanishes for every row.",
    )
    histograms: Histograms | None = None


class MetricsResponse(Response):
    """The learning curve."""

    object: Literal["list"] = "list"
    data: list[EpochPoint]


class CheckpointResponse(Response):
    """A moment of the run that is kept whole: its weights, and all it takes to go on from it."""

    epoch: float = Field(description="Epochs done; in the middle of one it has a fraction.")
    best_epoch: int = Field(description="The best epoch until then; its weights are kept as well.")
    train_loss: float | None = Field(description="Null in the middle of an epoch.")
    validation_loss: float | None
    training_seconds: float
    size_bytes: int
    sha256: str
    created_at: Moment
    best: bool = Field(description="Whether it has the lowest loss of those kept.")
    last: bool


class CheckpointsResponse(Response):
    """What is kept of a run, oldest first."""

    object: Literal["list"] = "list"
    data: list[CheckpointResponse]


class EventResponse(Response):
    """One line of the durable log."""

    id: int
    time: Moment
    level: Literal["info", "warning", "error"]
    type: str
    message: str
    data: JsonObject | None


class EventsResponse(Response):
    """Events in order; pass the last id as `after` for those that follow."""

    object: Literal["list"] = "list"
    data: list[EventResponse]
    has_more: bool


EXAMPLE: dict[str, Any] = {
    "dataset": "ds_sample_penguins",
    "target": "species",
    "model": "penguins",
    "network": {"layers": [{"units": 16, "activation": "sigmoid"}]},
    "training": {"epochs": 100, "optimizer": {"name": "adam", "learning_rate": 0.01}},
    "seed": 7,
}

PREPARED: dict[str, Any] = {
    "dataset": "ds_sample_penguins",
    "target": "species",
    "model": "penguins",
    "class_weight": "balanced",
    "preprocessing": {
        "scaling": "robust",
        "columns": {"body_mass_g": {"scaling": "log1p"}, "sex": {"missing": "indicator"}},
    },
    "training": {"epochs": 50, "validation": {"folds": 5}},
    "seed": 7,
}

SEVERAL: dict[str, Any] = {
    "dataset": "ds_sample_penguins",
    "target": ["bill_length_mm", "bill_depth_mm"],
    "model": "bills",
    "preprocessing": {"columns": {"body_mass_g": {"missing": "median"}}},
    "training": {
        "epochs": 100,
        "loss": "huber",
        "optimizer": {"name": "adamw", "learning_rate": 0.01},
        "schedule": {"name": "one_cycle"},
        "clip": 1.0,
    },
    "seed": 7,
}

QUANTILES: dict[str, Any] = {
    "dataset": "ds_sample_penguins",
    "target": "body_mass_g",
    "model": "masses",
    "network": {"layers": [{"units": 16, "activation": "tanh", "dropout": 0.1}]},
    "training": {
        "epochs": 100,
        "loss": "quantile",
        "loss_options": {"quantiles": [0.1, 0.5, 0.9]},
        "optimizer": {"name": "nadam", "learning_rate": 0.01},
        "schedule": {"name": "cosine", "warmup": 2},
        "l2": 1e-4,
        "average": 0.99,
    },
    "seed": 7,
}
