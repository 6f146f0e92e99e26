"""What an agent and a batch's process say to each other: JSON, a line each."""

from typing import Literal

import msgspec

Format = Literal["csv", "ndjson", "arrow", "parquet"]


class Assignment(msgspec.Struct, frozen=True):
    """What to predict, and where to put it."""

    model_path: str
    dataset_path: str
    destination: str
    format: Format
    threshold: float | None


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How many rows are done."""

    rows: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The end of a good run: the file is on the disk."""

    rows: int
    bytes: int
    sha256: str
    warnings: list[dict[str, object]]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The end of a bad one. Nothing that was sent is repeated."""

    code: str
    message: str
    column: str | None = None
    row: int | None = None


Message = Progress | Done | Refused
decode = msgspec.json.Decoder(Message).decode
