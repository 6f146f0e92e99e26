"""Models as they go out."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from service.kit.schemas import JsonObject, Moment, Request, Response, Text


class Feature(Response):
    """One column the model wants."""

    name: str
    type: Literal["number", "category", "boolean", "date"]
    min: float | None = Field(
        None, description="Smallest value in training; below it is extrapolation."
    )
    max: float | None = None
    mean: float | None = None
    levels: list[str] | None = None
    earliest: str | None = Field(None, description="First date of training, as ISO 8601 text.")
    latest: str | None = None


class TargetDescription(Response):
    """What the model gives."""

    name: str
    type: Literal["number", "category", "boolean", "several"]
    labels: list[Any] | None = Field(
        None, description="Classes, in the order of the probabilities."
    )
    targets: list["TargetDescription"] | None = Field(
        None, description="Of several targets each, in the order of the columns of answers."
    )
    quantiles: list[float] | None = Field(
        None, description="Of several quantiles their levels, lowest first."
    )


class Signature(Response):
    """Columns in, target out."""

    features: list[Feature]
    target: TargetDescription


class Interval(Response):
    """Where a figure lies with 95% confidence, by bootstrap over the judging rows."""

    low: float
    high: float


class Comparison(Response):
    """Whether the network's losses are lower than those of linear or logistic regression, on the
    same rows: squared error for numbers, log loss for classes.
    """

    verdict: Literal["yes", "no", "cannot tell"]
    difference: float = Field(
        description="Mean loss of linear minus ours: above 0, ours is better."
    )
    low: float
    high: float
    p_value: float = Field(description="Of the paired sign-flip test, two-sided.")


Intervals = Annotated[dict[str, Interval], Field(default_factory=dict)]
Linear = Annotated[
    JsonObject,
    Field(
        default_factory=dict,
        description="The same metrics of linear or logistic regression on the same split.",
    ),
]


class VersionResponse(Response):
    """One trained network."""

    model: str
    version: int
    task: str
    target: str
    signature: Signature
    metrics: JsonObject
    baseline: JsonObject
    intervals: Intervals
    linear: Linear
    better_than_linear: Comparison | None = None
    lineage: JsonObject = Field(
        description="Where it comes from: data set hash, resolved job, seed, code."
    )
    job: str | None = Field(description="Null for a version that was imported.")
    sha256: str = Field(description="Of the model file; equal inputs give equal bytes.")
    bytes: int
    created_at: Moment


class ModelResponse(Response):
    """A name and its versions."""

    name: str
    task: str = Field(description="Of the latest version.")
    latest_version: int
    description: str
    tags: dict[str, str]
    created_at: Moment


class ModelDetail(ModelResponse):
    """A model with its newest versions."""

    aliases: dict[str, int] = Field(description="The version each alias means.")
    versions: list[VersionResponse] = Field(description="The newest 100, newest first.")


TagKey = Annotated[Text, Field(min_length=1, max_length=64)]
TagValue = Annotated[Text, Field(max_length=256)]


def _no_more_than_text(text: str) -> str:
    _TEXT.validate_python(text.replace("\n", " ").replace("\t", " "))
    return text


_TEXT: TypeAdapter[str] = TypeAdapter(Text)


class ModelPatch(Request):
    """What to change, as a JSON merge patch (RFC 7396): what is left out stays as it is."""

    description: Annotated[str, AfterValidator(_no_more_than_text)] | None = Field(
        None, max_length=10_000, description="Plain text or Markdown; null empties it."
    )
    tags: dict[TagKey, TagValue | None] | None = Field(
        None, max_length=50, description="Tags to set, null for those to remove; null removes all."
    )
