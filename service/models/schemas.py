"""Models as they go out."""

from typing import Any, Literal

from pydantic import Field

from service.kit.schemas import JsonObject, Moment, Response


class Feature(Response):
    """One column the model wants."""

    name: str
    type: Literal["number", "category", "boolean"]
    min: float | None = Field(
        None, description="Smallest value in training; below it is extrapolation."
    )
    max: float | None = None
    mean: float | None = None
    levels: list[str] | None = None


class TargetDescription(Response):
    """What the model gives."""

    name: str
    type: Literal["number", "category", "boolean"]
    labels: list[Any] | None = Field(
        None, description="Classes, in the order of the probabilities."
    )


class Signature(Response):
    """Columns in, target out."""

    features: list[Feature]
    target: TargetDescription


class VersionResponse(Response):
    """One trained network."""

    model: str
    version: int
    task: str
    target: str
    signature: Signature
    metrics: JsonObject
    baseline: JsonObject
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
    latest_version: int
    created_at: Moment


class ModelDetail(ModelResponse):
    """A model with its versions, newest first."""

    aliases: dict[str, int] = Field(description="The version each alias means.")
    versions: list[VersionResponse]
