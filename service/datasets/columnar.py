"""Parquet and Arrow IPC: the file states its types; each becomes a number, boolean or text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq

from service.datasets.columns import (
    EXACT,
    DatasetInvalid,
    Fault,
    Kind,
    check_names,
    check_text,
)
from service.datasets.messages import decoded_bytes
from service.datasets.source import Limits
from service.datasets.tables import Kinds, Warning_, schema_of, warning

_BATCH_CELLS = 50_000
_SIGNATURE = 8  # bytes before the first message of an Arrow file
_THRIFT = 16 << 20  # bytes of Parquet metadata at most
DAMAGED = "The file is damaged or no {} file."


class Columnar:
    """Reader of one Parquet or Arrow file; see `service.datasets.tables.Reader`."""

    def __init__(
        self, path: Path, limits: Limits, *, is_parquet: bool, kinds: Kinds | None = None
    ) -> None:
        self._path = path
        self._limits = limits
        self._is_parquet = is_parquet
        self._name = "Parquet" if is_parquet else "Arrow"
        self._kinds: dict[str, Kind] | None = None if kinds is None else dict(kinds)
        self._is_told = kinds is not None
        self._fields: list[pa.Field] = []
        self._large: dict[str, int] = {}
        self._decoded = 0  # bytes after dictionaries, which repeat a text for free, are resolved
        self.rows = 0

    @property
    def kinds(self) -> Kinds:
        """The columns and types in which the blocks come."""
        return self._kinds or {}

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The rows. Raises DatasetInvalid, whatever pyarrow makes of the file."""
        try:
            yield from self._blocks()
        except DatasetInvalid:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError):
            raise self._damaged() from None
        if self.rows == 0:
            raise DatasetInvalid(Fault("no_rows", "There are no rows.", "at least one row"))

    def _damaged(self) -> DatasetInvalid:
        detail = DAMAGED.format(self._name)
        return DatasetInvalid(Fault("unreadable", detail, f"a whole {self._name} file"))

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        for found in self._parquet() if self._is_parquet else self._arrow():
            batch = _valid(found)
            step = max(1, _BATCH_CELLS // max(1, batch.num_columns))
            for start in range(0, batch.num_rows, step):
                yield from self._typed(batch.slice(start, step))

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(
            self._path,
            pre_buffer=False,
            thrift_string_size_limit=_THRIFT,
            thrift_container_size_limit=_THRIFT,
        ) as file:
            self._take(file.schema_arrow)
            self._limits.check(file.metadata.num_rows, file.metadata.num_columns)
            groups = [file.metadata.row_group(g) for g in range(file.num_row_groups)]
            self._check_size(sum(group.total_byte_size for group in groups))
            step = max(1, _BATCH_CELLS // max(1, file.metadata.num_columns))
            yield from file.iter_batches(batch_size=step, use_threads=False)

    def _arrow(self) -> Iterator[pa.RecordBatch]:
        # Mapped, not read: a length that the file only claims allocates nothing.
        with pa.memory_map(str(self._path)) as mapped:
            # A file is a stream between a signature and a table of contents.
            start = _SIGNATURE if mapped.read(_SIGNATURE).startswith(b"ARROW1") else 0
            mapped.seek(start)
            self._check_size(decoded_bytes(mapped))
            mapped.seek(start)
            with pa_ipc.open_stream(mapped) as stream:
                self._take(stream.schema)
                yield from stream

    def _check_size(self, size: int) -> None:
        most = self._limits.decompressed_bytes
        if size > most:
            raise DatasetInvalid(
                Fault("too_large", "The data are too large.", f"at most {most} bytes")
            )

    def _take(self, schema: pa.Schema) -> None:
        """Accept the columns, or raise DatasetInvalid naming those of a type we do not read."""
        limits = self._limits
        check_names(schema.names, longest=limits.name_characters, most=limits.columns, line=None)
        if not schema.names:
            raise DatasetInvalid(Fault("empty", "There are no columns.", "at least one column"))
        self._fields = list(schema)
        faults = [
            Fault("unsupported_type", "The column's type cannot be used.",
                  "numbers, booleans, text, dates or dictionaries of these", column=field.name)
            for field in schema if _kind(field.type) is None
        ]  # fmt: skip
        if faults:
            raise DatasetInvalid(*faults[:20])
        if self._kinds is None:
            self._kinds = dict(self.verdict())

    def _typed(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        start, self.rows = self.rows, self.rows + batch.num_rows
        self._limits.check(self.rows, batch.num_columns)
        columns = []
        for field, cells in zip(self._fields, batch.columns, strict=True):
            plain = _undictionaried(cells)
            if pa.types.is_integer(plain.type) and field.name not in self._large:
                self._look_for_large(plain, field.name, start)
            columns.append(self._column(plain, field.name, start))
            self._decoded += columns[-1].nbytes
            self._check_size(self._decoded)
        if self._is_told or self.verdict() == self._kinds:
            yield pa.RecordBatch.from_arrays(columns, schema=schema_of(self.kinds))

    def _look_for_large(self, cells: pa.Array, name: str, start: int) -> None:
        if cells.type.bit_width < 64:
            return
        found = np.flatnonzero(
            pc.fill_null(_is_inexact(cells), False).to_numpy(zero_copy_only=False)
        )
        if len(found):
            self._large[name] = start + int(found[0])

    def _column(self, cells: pa.Array, name: str, start: int) -> pa.Array:
        kind = self.kinds[name]
        if kind == "boolean":
            return cells
        if kind == "text":
            texts = cells.cast(pa.string())
            check_text(texts, name, longest=self._limits.cell_characters, start=start)
            return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
        # Not safe: an integer beyond 2^53 in a later row makes this a text column afterwards.
        numbers = cells.cast(pa.float64(), safe=False)
        values = numbers.to_numpy(zero_copy_only=False)
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            detail, expected = "A number is infinite.", "finite numbers, null where missing"
            row = start + int(infinite[0])
            raise DatasetInvalid(Fault("not_finite", detail, expected, row=row, column=name))
        return pa.array(values, pa.float64(), from_pandas=True)  # NaN is missing

    def verdict(self) -> Kinds:
        """The types that fit all rows so far."""
        return {
            field.name: "text" if field.name in self._large else _kind(field.type) or "text"
            for field in self._fields
        }

    def warnings(self) -> list[Warning_]:
        """What the sender should know."""
        dates = "Dates are kept as text; derive numbers to learn from."
        listed = [
            warning("date_as_text", dates, field.name)
            for field in self._fields
            if pa.types.is_temporal(_value_type(field.type))
        ]
        large = "Integers of 2^53 and more are kept as text (row {}, counting from 1)."
        return listed + [
            warning("large_integers", large.format(row + 1), name)
            for name, row in self._large.items()
        ]


def _is_inexact(integers: pa.Array) -> pa.BooleanArray:
    limit = pa.scalar(EXACT, integers.type)  # else both sides are cast to a type that may not fit
    large = pc.greater_equal(integers, limit)
    if pa.types.is_unsigned_integer(integers.type):
        return large
    return pc.or_(large, pc.less_equal(integers, pa.scalar(-EXACT, integers.type)))


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, once it is known that its offsets, which a crafted file chooses, stay inside."""
    batch.validate(full=True)
    return batch


def _value_type(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _undictionaried(cells: pa.Array) -> pa.Array:
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _kind(type_: pa.DataType) -> Kind | None:
    types, value = pa.types, _value_type(type_)
    if types.is_boolean(value):
        return "boolean"
    if types.is_integer(value) or types.is_floating(value) or types.is_decimal(value):
        return "number"
    if types.is_null(value):
        return "number"
    if types.is_string(value) or types.is_large_string(value) or types.is_string_view(value):
        return "text"
    if types.is_date(value) or types.is_timestamp(value) or types.is_time(value):
        return "text"
    return None
