import datetime as dt
import decimal
import io

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from service.datasets.reading import read_rows


def parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def arrow(table, new=pyarrow.ipc.new_stream, compression=None):
    file = io.BytesIO()
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    with new(file, table.schema, options=options) as writer:
        writer.write_table(table)
    return file.getvalue()


WRITERS = {
    "parquet": ("parquet", parquet),
    "stream": ("arrow", arrow),
    "file": ("arrow", lambda table: arrow(table, pyarrow.ipc.new_file)),
    "feather": ("arrow", lambda table: arrow(table, pyarrow.ipc.new_file, "lz4")),
    "zstd": ("arrow", lambda table: arrow(table, compression="zstd")),
}
every_format = pytest.mark.parametrize(("kind", "write"), WRITERS.values(), ids=WRITERS)


@every_format
def test_every_type_becomes_number_boolean_or_text(accept, stored, kind, write):
    table = pa.table(
        {
            "int": pa.array([1, None], pa.int8()),
            "unsigned": pa.array([1, 2], pa.uint64()),
            "float": [0.5, float("nan")],
            "decimal": [decimal.Decimal("1.25"), None],
            "bool": [True, None],
            "text": ["x", ""],
            "dictionary": pa.array(["u", None]).dictionary_encode(),
            "date": [dt.date(2020, 1, 31), None],
            "null": pa.nulls(2),
        }
    )
    ingested = accept(write(table), kind)
    assert read_rows(stored, after=0, limit=2) == [
        {"int": 1, "unsigned": 1, "float": 0.5, "decimal": 1.25, "bool": True, "text": "x",
         "dictionary": "u", "date": "2020-01-31", "null": None},
        {"int": None, "unsigned": 2, "float": None, "decimal": None, "bool": None, "text": None,
         "dictionary": None, "date": None, "null": None},
    ]  # fmt: skip
    assert [found["code"] for found in ingested.warnings] == ["date_as_text"]


@every_format
def test_large_integers_in_a_late_row_make_the_column_text(accept, stored, kind, write):
    rows = 120_000
    column = pa.array([*range(rows), 2**60], pa.uint64())
    ingested = accept(write(pa.table({"id": column, "n": np.zeros(rows + 1)})), kind)
    assert ingested.warnings[0]["code"] == "large_integers"
    assert read_rows(stored, after=rows - 1, limit=9) == [
        {"id": str(rows - 1), "n": 0},
        {"id": str(2**60), "n": 0},
    ]


@every_format
def test_infinities_nested_types_and_twin_names_are_refused(refuse, kind, write):
    fault = refuse(write(pa.table({"a": [1.0, float("-inf")]})), kind)
    assert (fault.code, fault.row, fault.column) == ("not_finite", 1, "a")
    fault = refuse(write(pa.table({"a": [1], "b": [[1]]})), kind)
    assert (fault.code, fault.column) == ("unsupported_type", "b")
    twins = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert refuse(write(twins), kind).code == "duplicate_name"
    assert refuse(write(pa.table({"a": pa.array([], pa.int64())})), kind).code == "no_rows"


@every_format
def test_limits_are_checked_before_the_data_are_unpacked(refuse, kind, write):
    zeros = pa.table({"a": np.zeros(200_000)})
    assert refuse(write(zeros), kind, rows=1_000).code == "too_many_rows"
    assert refuse(write(zeros), kind, cells=1_000).code == "too_many_cells"
    if kind == "arrow":
        assert refuse(write(zeros), kind, decompressed_bytes=1_000_000).code == "too_large"


def test_a_dictionary_that_repeats_a_long_text_is_a_bomb(refuse):
    bomb = pa.table({"a": pa.array(["x" * 1_000] * 100_000).dictionary_encode()})
    assert refuse(parquet(bomb), "parquet", decompressed_bytes=10 << 20).code == "too_large"


@every_format
def test_half_a_file_is_damaged(refuse, kind, write):
    content = write(pa.table({"a": ["x", "y"] * 500}))
    for end in (0, 5, 20, len(content) // 2):
        assert refuse(content[:end], kind).code in {"unreadable", "no_rows"}


def test_column_names_with_dots_are_no_paths(accept, stored):
    accept(parquet(pa.table({"a": [1], "a.b": ["x"]})), "parquet")
    assert read_rows(stored, after=0, limit=1) == [{"a": 1, "a.b": "x"}]
