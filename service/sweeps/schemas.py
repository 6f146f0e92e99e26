"""Sweeps as they come in and go out."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from core.standings import MOST_REPEATS
from service.jobs.schemas import JobError, JobRequest, JobResult, TaskName, Warned
from service.jobs.states import State
from service.kit.schemas import ColumnName, JsonObject, ModelName, Moment, Request, Response, Text

MOST_NETWORKS = 1024
Method = Literal["grid", "random", "tpe", "halving"]
Pointer = Annotated[
    Text,
    Field(max_length=200, pattern=r"^/(network|training|preprocessing)(/[^/]+)+$"),
]
ActivationName = Literal[
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign",
    "hard_sigmoid", "identity",
]  # fmt: skip
End = int | Annotated[float, Field(allow_inf_nan=False)]


class Choice(Request):
    """One of some values."""

    choice: list[Any] = Field(min_length=1, max_length=50)


class Range(Request):
    """Numbers from low to high; whole ones where the field takes only those."""

    range: Annotated[list[End], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if not self.range[0] < self.range[1]:
            raise ValueError("expected a lower and a higher end")
        return self


class LogRange(Request):
    """Numbers from low to high, as many below 10 times the low end as in the next tenfold."""

    log_range: Annotated[list[End], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if not 0 < self.log_range[0] < self.log_range[1]:
            raise ValueError("expected a lower end above 0 and a higher end")
        return self


class SweepRequest(Request):
    """A job, and what of it is to be varied."""

    job: JobRequest = Field(description="The job that is varied; its seed makes splits equal.")
    space: dict[Pointer, Choice | Range | LogRange] = Field(
        min_length=1,
        max_length=20,
        description="By JSON pointer into the job; `*` is every element of an array.",
    )
    method: Method = Field(
        "random",
        description="grid: every point. random: drawn. tpe: drawn near good ones. halving: many "
        "with few epochs, the best third again with three times as many.",
    )
    trials: int = Field(
        32, ge=1, le=MOST_NETWORKS, description="Points to try; grid takes all there are."
    )
    repeats: int = Field(
        1,
        ge=1,
        le=MOST_REPEATS,
        description="Networks a point, each with a seed and a split of its own, which all points "
        "share.",
    )
    seconds: float | None = Field(
        None, gt=0, description="Then no further network is begun, and the best so far is taken."
    )


class ActivationsRequest(Request):
    """Which activation for my data? Only `dataset` and `target` are required."""

    dataset: Annotated[Text, Field(max_length=64)]
    target: ColumnName
    features: list[ColumnName] | None = Field(None, min_length=1, max_length=1000)
    model: ModelName | None = Field(None, description="Name to publish the best under.")
    activations: list[ActivationName] = Field(
        ["sigmoid", "tanh", "relu", "leaky_relu"], min_length=2, max_length=12
    )
    depths: list[Annotated[int, Field(ge=1, le=8)]] = Field(
        [1, 2, 4], min_length=1, max_length=8, description="Numbers of hidden layers."
    )
    units: int = Field(16, ge=1, le=512, description="Of each hidden layer.")
    epochs: int = Field(60, ge=5, le=2000, description="The same for all, without early stopping.")
    learning_rate: float = Field(0.01, gt=0, le=10)
    repeats: int = Field(3, ge=2, le=MOST_REPEATS, description="Seeds, and so splits.")
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None


class Candidate(Response):
    """One point of the space, with what its networks came to."""

    rank: int | None = Field(description="1 is best; null without a network of all its epochs.")
    name: str
    point: JsonObject
    share: float = Field(description="Of the job's epochs.")
    repeats: int = Field(description="Networks that have ended.")
    loss: float | None = Field(
        description="Mean over judging rows and repeats: log loss, or squared error."
    )
    low: float | None = Field(description="95% interval of the mean loss.")
    high: float | None
    p_value: float | None = Field(
        description="Against the best, corrected for all comparisons (Holm); null for the best."
    )
    place: Literal["best", "worse", "cannot tell"] | None
    metrics: JsonObject = Field(description="Means over the repeats.")
    parameters: int | None
    seconds: float = Field(description="Of training, all repeats together.")
    diverged: int = Field(description="Repeats whose loss left the finite numbers.")


class SweepProgress(Response):
    """How far a sweep is."""

    trained: int
    planned: int | None = Field(description="Networks; null where the method decides on its way.")


class SweepResponse(Response):
    """A sweep: what it varies, where it stands, and its leaderboard."""

    id: str
    state: State
    question: Literal["activation"] | None
    dataset: str
    target: str | list[str]
    task: TaskName
    model: str
    job: JsonObject = Field(description="The job that is varied, as resolved.")
    space: JsonObject
    method: Method
    trials: int
    repeats: int
    seconds: float
    seed: int
    progress: SweepProgress
    answer: str | None = Field(description="What the leaderboard says, in words.")
    caveats: list[str]
    leaderboard: list[Candidate]
    warnings: list[Warned]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    result: JobResult | None = Field(description="Of the best, trained again and published.")
    error: JobError | None


class Band(Response):
    """A curve of several networks: at each epoch their mean, lowest and highest."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


class CandidateCurves(Response):
    """How the networks of a candidate learned."""

    name: str
    train_loss: Band
    validation_loss: Band
    gradient_norms: list[float] = Field(
        description="Per layer, input side first: means over epochs and repeats."
    )
    saturation: list[float] = Field(description="Per hidden layer, at the end, over repeats.")


class CurvesResponse(Response):
    """Learning curves with bands, best candidate first."""

    object: Literal["list"] = "list"
    data: list[CandidateCurves]


EXAMPLE: dict[str, Any] = {
    "job": {
        "dataset": "ds_sample_penguins",
        "target": "species",
        "model": "penguins",
        "training": {"epochs": 40},
        "seed": 7,
    },
    "space": {
        "/training/optimizer/learning_rate": {"log_range": [0.001, 0.1]},
        "/network/layers/*/activation": {"choice": ["sigmoid", "tanh"]},
    },
    "method": "random",
    "trials": 8,
}
ACTIVATIONS_EXAMPLE: dict[str, Any] = {
    "dataset": "ds_sample_penguins",
    "target": "species",
    "depths": [1, 2],
    "seed": 7,
}
