"""What every request and response model shares."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

Item = TypeVar("Item")


class Request(BaseModel):
    """Base of bodies that come in: unknown fields are refused, numbers are numbers and finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Response(BaseModel):
    """Base of bodies that go out."""

    model_config = ConfigDict(allow_inf_nan=False)


class Page(Response, Generic[Item]):
    """One page of a list, newest first; pass `last_id` as `after` for the next."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FieldProblem(Response):
    """What is wrong with one field."""

    pointer: str = Field(description="JSON pointer (RFC 6901) of the field.")
    detail: str
    code: str


class ProblemDocument(Response):
    """An RFC 9457 problem document. It never repeats what was sent."""

    type: str = Field(description="A stable address under /problems that explains the kind.")
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldProblem] | None = None


def _no_control_characters(text: str) -> str:
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("control characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("lone surrogates are not text") from error
    return text


Text = Annotated[str, AfterValidator(_no_control_characters)]
ColumnName = Annotated[Text, Field(min_length=1, max_length=128)]
ModelName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$",
        description="Lower-case letters, digits, dot, dash, underscore.",
    ),
]


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
JsonObject = dict[str, Any]
