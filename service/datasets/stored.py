"""A stored table: one Parquet file of float64, boolean and text columns, null where missing."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.preprocessing import Category, Numeric, Table
from service.datasets.columns import EXACT
from service.datasets.tables import Kinds, schema_of

_GROUP_BYTES = 8 << 20  # of a row group: as much waits in memory
_WHOLE = b"sigmoid.whole"  # file metadata: number columns without a fraction, as JSON
_PAGE = 2_048


class Writer:
    """Writes blocks as they come, a row group at a time."""

    def __init__(self, destination: Path, kinds: Kinds) -> None:
        self.schema = schema_of(kinds)
        self.rows = 0
        self._whole = {name for name, kind in kinds.items() if kind == "number"}
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._writer = pq.ParquetWriter(
            str(destination),
            self.schema,
            use_dictionary=[name for name, kind in kinds.items() if kind == "text"],
            compression="lz4",
        )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
            self._writer.add_key_value_metadata({_WHOLE: json.dumps(sorted(self._whole)).encode()})
        self._writer.close()

    def write(self, block: pa.RecordBatch) -> None:
        """Add rows. Columns as in the kinds given at the start."""
        self.rows += block.num_rows
        for name in tuple(self._whole):
            values = block.column(name).to_numpy(zero_copy_only=False)
            fraction = (values != np.floor(values)) & ~np.isnan(values)
            if fraction.any() or np.nanmax(np.abs(values), initial=0.0) >= EXACT:
                self._whole.discard(name)
        self._waiting.append(block)
        self._waiting_bytes += block.nbytes
        if self._waiting_bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=1 << 30)
        self._waiting, self._waiting_bytes = [], 0


def whole_columns(file: pq.ParquetFile) -> frozenset[str]:
    """The number columns whose values are all integers below 2^53."""
    return frozenset(json.loads((file.metadata.metadata or {}).get(_WHOLE, b"[]")))


def read_rows(path: Path, *, after: int, limit: int) -> list[dict[str, float | int | str | bool]]:
    """Rows as records for JSON, null where missing. after: rows to skip."""
    with pq.ParquetFile(path) as file:
        groups: list[int] = []
        skipped = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if not groups and skipped + rows <= after:
                skipped += rows
            else:
                groups.append(group)
        if not groups:
            return []
        whole = whole_columns(file)
        found: list[dict[str, float | int | str | bool]] = []
        batches = file.iter_batches(batch_size=_PAGE, row_groups=groups, use_threads=False)
        for batch in batches:
            part = batch.slice(max(0, after - skipped), limit - len(found))
            skipped += batch.num_rows
            found.extend(_integers(part, whole).to_pylist())
            if len(found) >= limit:
                break
        return found


def _integers(batch: pa.RecordBatch, whole: frozenset[str]) -> pa.RecordBatch:
    columns = [
        column.cast(pa.int64()) if name in whole else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """The named columns as the core takes them: float64 with NaN, or codes of sorted levels."""
    names = list(columns)
    with pq.ParquetFile(path, read_dictionary=names, pre_buffer=False) as file:
        table = file.read(names, use_threads=False)
    return {name: _column(table.column(name)) for name in names}


def read_blocks(path: Path, columns: Sequence[str], *, rows: int) -> Iterator[Table]:
    """The named columns that are there, so many rows at a time."""
    with pq.ParquetFile(path) as file:
        names = [name for name in columns if name in file.schema_arrow.names]
    with pq.ParquetFile(path, read_dictionary=names, pre_buffer=False) as file:
        for batch in file.iter_batches(rows, columns=names, use_threads=False):
            block = pa.Table.from_batches([batch])
            yield {name: _column(block.column(name)) for name in names}


def _column(column: pa.ChunkedArray) -> Numeric | Category:
    if pa.types.is_floating(column.type):
        return Numeric(np.ascontiguousarray(column.to_numpy()))
    if pa.types.is_boolean(column.type):
        codes = pc.fill_null(column.cast(pa.int8()), -1).to_numpy().astype(np.int32)
        return Category(codes, ("false", "true"))
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no rows, no chunks
        return Category(np.zeros(0, np.int32), ())
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts) + 1, np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    rank[-1] = -1
    codes = rank[pc.fill_null(encoded.indices, len(texts)).to_numpy()]
    return Category(codes, tuple(texts[position] for position in order))
