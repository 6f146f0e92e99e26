"""The profile of a stored table, a column at a time: exact, and independent of the format sent."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.datasets.stored import whole_columns

CATEGORY_LEVELS = 500  # more distinct texts than these are free text
SHOWN_LEVELS = 20
_DISTINCT_TEXTS = 10_000  # counted a column at most, less where there are many columns
_DISTINCT_IN_ALL = 1_000_000
_BINS = 20
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SORTED = 1_000_000  # numbers looked at in a column; of longer ones every k-th row is taken
_THREADS = 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; one more edge than counts."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class Level:
    """How often one level occurs."""

    value: str
    count: int


@dataclass(frozen=True)
class ColumnProfile:
    """One column's type and what its values are like.

    distinct: None where there are too many to count. std: of the values, divided by n.
    """

    name: str
    type: Literal["number", "boolean", "category", "text"]
    missing: int
    distinct: int | None
    integer: bool = False
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] | None = None
    histogram: Histogram | None = None
    levels: list[Level] | None = None


def profile(path: Path) -> list[ColumnProfile]:
    """Profile a stored table, in the order of its columns."""
    with pq.ParquetFile(path) as file:
        whole = whole_columns(file)
        fields = list(file.schema_arrow)
    cap = min(_DISTINCT_TEXTS, max(CATEGORY_LEVELS + 1, _DISTINCT_IN_ALL // len(fields)))

    def look(chunk: list[pa.Field]) -> list[ColumnProfile]:
        # A file of its own: a reader is not made for two threads.
        with pq.ParquetFile(path) as file:
            return [_column(file, field, whole=field.name in whole, cap=cap) for field in chunk]

    half = -(-len(fields) // _THREADS)
    if half * len(fields) < 16:
        return look(fields)
    chunks = [fields[start : start + half] for start in range(0, len(fields), half)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return [column for part in pool.map(look, chunks) for column in part]


def _column(file: pq.ParquetFile, field: pa.Field, *, whole: bool, cap: int) -> ColumnProfile:
    if pa.types.is_floating(field.type):
        return _numbers(file, field.name, whole=whole)
    return _levels(file, field, cap)


def _chunk(file: pq.ParquetFile, group: int, name: str) -> pa.Array:
    table = file.read_row_group(group, columns=[name], use_threads=False)
    return table.column(name).combine_chunks()


def _numbers(file: pq.ParquetFile, name: str, *, whole: bool) -> ColumnProfile:
    stride = -(-file.metadata.num_rows // _SORTED)
    parts, missing, skip = [], 0, 0
    low, high = np.inf, -np.inf
    for group in range(file.num_row_groups):
        chunk = _chunk(file, group, name)
        missing += chunk.null_count
        values = chunk.to_numpy(zero_copy_only=False)
        low = min(low, float(np.nanmin(values, initial=np.inf)))
        high = max(high, float(np.nanmax(values, initial=-np.inf)))
        parts.append(values[skip::stride].copy())  # a view would keep the whole chunk
        skip = (skip - len(values)) % stride
    values = np.concatenate(parts)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return ColumnProfile(name, "number", missing, 0 if low > high else None)
    values.sort()
    scale = max(abs(low), abs(high)) or 1.0  # squares of the largest floats would overflow
    scaled = values / scale
    return ColumnProfile(
        name=name,
        type="number",
        missing=missing,
        distinct=1 + int(np.count_nonzero(np.diff(scaled))) if stride == 1 else None,
        integer=whole,
        min=low,
        max=high,
        mean=float(scaled.mean()) * scale,
        std=float(scaled.std()) * scale,
        quantiles={str(q): _quantile(values, q) for q in _QUANTILES},
        histogram=_histogram(values),
    )


def _quantile(ordered: Floats, q: float) -> float:
    """Linear interpolation between order statistics (Hyndman and Fan, 1996, type 7)."""
    position = q * (len(ordered) - 1)
    below = int(position)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    share = position - below
    return low * (1 - share) + high * share


def _histogram(ordered: Floats) -> Histogram:
    low, high = float(ordered[0]), float(ordered[-1])
    if low == high:
        return Histogram([low, high], [len(ordered)])
    shares = np.linspace(0, 1, _BINS + 1)
    edges = low * (1 - shares) + high * shares
    edges[0], edges[-1] = low, high
    inner = np.searchsorted(ordered, edges[1:-1], side="left")
    return Histogram(edges.tolist(), np.diff([0, *inner, len(ordered)]).tolist())


def _levels(file: pq.ParquetFile, field: pa.Field, cap: int) -> ColumnProfile:
    counts: Counter[str] = Counter()
    missing = 0
    for group in range(file.num_row_groups):
        chunk = _chunk(file, group, field.name)
        missing += chunk.null_count
        if len(counts) <= cap:
            distinct = pc.value_counts(chunk.drop_null())
            for value, count in zip(
                distinct.field("values").slice(0, cap + 1).to_pylist(),
                distinct.field("counts").slice(0, cap + 1).to_pylist(),
                strict=True,
            ):
                counts[value if isinstance(value, str) else str(value).lower()] += count
    if len(counts) > cap:
        return ColumnProfile(field.name, "text", missing, None)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    levels = [Level(value, count) for value, count in ranked[:SHOWN_LEVELS]]
    if pa.types.is_boolean(field.type):
        return ColumnProfile(field.name, "boolean", missing, len(counts), levels=levels)
    kind: Literal["category", "text"] = "category" if len(counts) <= CATEGORY_LEVELS else "text"
    return ColumnProfile(field.name, kind, missing, len(counts), levels=levels)
