"""What every reader of a format hands over: typed blocks, and in the end its verdict on types."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pyarrow as pa

from service.datasets.columns import ARROW, Kind

Kinds = Mapping[str, Kind]
Warning_ = dict[str, object]


class Reader(Protocol):
    """Reads a table once, from its first row to its last.

    Types are taken from the first rows, so that most tables need one pass. `blocks` ends early
    when a later row shows them wrong, having seen all rows all the same; `verdict` then differs
    from `kinds`, and a second reader, given the verdict, has them right from the start.
    """

    rows: int  # read so far

    @property
    def kinds(self) -> Kinds:
        """The columns and types in which the blocks come."""

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The rows. Raises DatasetInvalid."""

    def verdict(self) -> Kinds:
        """The types that fit all rows, known when `blocks` has ended. Raises DatasetInvalid."""

    def warnings(self) -> list[Warning_]:
        """What the sender should know: code, message and column."""


def schema_of(kinds: Kinds) -> pa.Schema:
    """The stored form of these columns."""
    return pa.schema([pa.field(name, ARROW[kind]) for name, kind in kinds.items()])


def warning(code: str, message: str, column: str | None) -> Warning_:
    """One entry of a data set's warnings."""
    return {"code": code, "message": message, "column": column}
