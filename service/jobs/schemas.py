"""Jobs as they come in and go out."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from core.validation import MOST_FOLDS
from service.jobs.preprocessing import PreprocessingRequest
from service.jobs.states import State
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

ActivationName = Literal["sigmoid", "tanh", "relu", "leaky_relu", "identity"]
TaskName = Literal["regression", "binary", "multiclass"]
LossName = Literal["mse", "binary_cross_entropy", "categorical_cross_entropy"]
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]


class LayerRequest(Request):
    """One hidden layer."""

    units: int = Field(ge=1, le=4096)
    activation: ActivationName = "sigmoid"


class NetworkRequest(Request):
    """The hidden layers; the output layer follows from the task. No layer is a linear model."""

    layers: list[LayerRequest] = Field(
        default_factory=lambda: [LayerRequest(units=16)], max_length=16
    )


class SgdRequest(Request):
    """Stochastic gradient descent with classical momentum."""

    name: Literal["sgd"]
    learning_rate: float = Field(0.05, gt=0, le=100)
    momentum: float = Field(0.9, ge=0, lt=1)


class AdamRequest(Request):
    """Adam (Kingma & Ba, 2015)."""

    name: Literal["adam"] = "adam"
    learning_rate: float = Field(0.003, gt=0, le=100)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0, le=1)


class ValidationRequest(Request):
    """Which rows judge the network: one of the fields; stratified for classes."""

    fraction: float | None = Field(
        None, gt=0, lt=1, description="So many of the rows; 0.2 when nothing is said."
    )
    column: ColumnName | None = Field(
        None,
        description="Rows where this column is true, 1 or `validation`; false, 0 and `train` "
        "train, all others are left out.",
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=MOST_FOLDS,
        description="Each row judges once, in one of so many folds. The published network then "
        "learns from all rows, for the median of the folds' best epochs.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fraction_by_default(cls, value: Any) -> Any:
        return {"fraction": 0.2} if value == {} else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.fraction, self.column, self.folds)) != 1:
            raise ValueError("give one of fraction, column and folds")
        return self


class EarlyStoppingRequest(Request):
    """Stop when validation loss has not fallen for `patience` epochs; keep the best epoch."""

    monitor: Literal["validation_loss"] = "validation_loss"
    patience: int = Field(20, ge=1, le=100_000)
    min_delta: float = Field(0.0, ge=0, le=1e6)


class TrainingRequest(Request):
    """How the weights are found."""

    loss: LossName | Literal["auto"] = "auto"
    optimizer: Annotated[SgdRequest | AdamRequest, Field(discriminator="name")] = AdamRequest()
    epochs: int = Field(200, ge=1, description="Passes over the training rows.")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"] = "auto"
    l2: float = Field(0.0, ge=0, le=1e6)
    clip: float | None = Field(None, gt=0, description="Largest global norm of a gradient.")
    validation: ValidationRequest | None = ValidationRequest(fraction=0.2)
    early_stopping: EarlyStoppingRequest | None = EarlyStoppingRequest()
    max_seconds: float | None = Field(
        None, gt=0, description="Then training ends, as if the epochs were over."
    )

    @model_validator(mode="after")
    def _stopping_needs_validation(self) -> Self:
        asked = "early_stopping" in self.model_fields_set and self.early_stopping is not None
        if asked and self.validation is None:
            raise ValueError("early_stopping needs validation rows: set validation or remove it")
        return self


class JobRequest(Request):
    """A training job. Only `dataset` and `target` are required."""

    dataset: Annotated[Text, Field(max_length=64)]
    target: ColumnName
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
    kind: Literal["train", "verify"] = Field(
        description="verify: repeats the training of a version and compares the weights."
    )
    state: State
    dataset: str
    target: str
    model: str
    task: TaskName
    features: list[str]
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


class EpochPoint(Response):
    """What one epoch measured."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    train_score: float = Field(description="Accuracy of classes, R² of numbers.")
    validation_score: float | None
    learning_rate: float
    gradient_norms: list[float] = Field(description="Per layer, input side first.")
    saturation: list[float] = Field(
        description="Per hidden layer: share of activations whose slope nearly vanishes (< 5%)."
    )
    update_ratio: list[float] = Field(
        description="Per layer: size of the update over the weights'."
    )


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
