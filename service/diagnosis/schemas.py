"""Findings as they go out, and what applies one."""

from typing import Annotated, Literal

from pydantic import Field

from service.jobs.states import State
from service.kit.schemas import JsonObject, Request, Response, Text


class Curve(Response):
    """What one sees it by, over epochs."""

    of: str
    epochs: list[int]
    values: list[float | None]


class Evidence(Response):
    """What a finding rests on."""

    numbers: JsonObject
    curve: Curve | None


class FixOutcome(Response):
    """A job that applied a finding's fix, and whether that helped."""

    job: str
    state: State | None = Field(description="Null when the job is gone.")
    validation_loss_before: float | None = Field(
        description="Of the epoch whose weights were kept."
    )
    validation_loss_after: float | None
    helped: bool | None = Field(
        description="Whether the validation loss fell; null while that is not known."
    )
    summary: str


class Finding(Response):
    """One thing that is wrong with a run."""

    id: str = Field(description="What `apply-fix` takes; a run has each rule once.")
    rule: str
    severity: Literal["info", "warning", "error"]
    layer: int | None = Field(description="From the input side, 0 the first; null for the whole.")
    epoch: int = Field(description="When it was seen.")
    evidence: Evidence
    explanation: str
    fix: JsonObject | None = Field(
        description="A JSON merge patch of the job; null where no change of the job mends it."
    )
    expected_effect: str
    fixes: list[FixOutcome] = Field(description="Jobs that applied it, oldest first.")


class DiagnosisResponse(Response):
    """All that was found so far."""

    object: Literal["list"] = "list"
    job: str
    complete: bool = Field(description="Whether the job has ended and was judged as a whole.")
    data: list[Finding]


class FixRequest(Request):
    """Which finding to act on."""

    finding: Annotated[Text, Field(min_length=1, max_length=64)] = Field(
        description="Its id.", examples=["too_slow"]
    )
