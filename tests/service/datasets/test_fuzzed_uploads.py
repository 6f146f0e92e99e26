"""Whatever the bytes are: a table, or DatasetInvalid. Nothing else may come out of a reader."""

import contextlib
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from service.datasets.reading import DatasetInvalid, Limits, ingest, read_rows

LIMITS = Limits(decompressed_bytes=1 << 20, rows=1_000, columns=50, cells=10_000)
TABLE = pa.table({"n": [1.5, None], "i": [1, 2], "b": [True, None], "t": ["x", "yy"]})


def _parquet():
    file = io.BytesIO()
    pq.write_table(TABLE, file)
    return file.getvalue()


def _arrow(new, compression):
    file = io.BytesIO()
    with new(
        file, TABLE.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)
    ) as writer:
        writer.write_table(TABLE)
    return file.getvalue()


SEEDS = {
    "csv": [b'a,b\n1,"x, ""y"""\n2,\r\n', b'a;b\n"1,5";2\n'],
    "tsv": [b"a\tb\n1\tx\n"],
    "json": [b'[{"a": 1, "b": "x"}, {"a": null, "b": "\\u00e9"}]'],
    "ndjson": [b'{"a": 1}\n{"b": true}\n'],
    "parquet": [_parquet()],
    "arrow": [
        _arrow(pyarrow.ipc.new_stream, None),
        _arrow(pyarrow.ipc.new_stream, "zstd"),
        _arrow(pyarrow.ipc.new_file, "lz4"),
    ],
}


def survives(content, kind, compression=None):
    with tempfile.TemporaryDirectory() as folder:
        upload, stored = Path(folder, "upload"), Path(folder, "stored")
        upload.write_bytes(content)
        ingested = None
        with contextlib.suppress(DatasetInvalid):
            ingested = ingest(
                upload, format=kind, destination=stored, limits=LIMITS, compression=compression
            )
        assert stored.exists() == (ingested is not None)
        if ingested is not None:
            assert len(read_rows(stored, after=0, limit=LIMITS.rows)) == ingested.rows


mutations = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from("sidc"), st.binary(min_size=1, max_size=8)),
    max_size=4,
)


def mutated(content, changes):
    for place, what, data in changes:
        at = place % (len(content) + 1)
        if what == "s":
            content = content[:at] + data + content[at + len(data) :]
        elif what == "i":
            content = content[:at] + data + content[at:]
        elif what == "d":
            content = content[:at] + content[at + len(data) :]
        else:
            content = content[:at]
    return content


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([(k, s) for k, seeds in SEEDS.items() for s in seeds]), mutations)
def test_damaged_files_are_read_or_refused(seed, changes):
    kind, content = seed
    survives(mutated(content, changes), kind)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from(sorted(SEEDS)), st.sampled_from([None, "gzip", "zstd"])
)
def test_any_bytes_are_read_or_refused(content, kind, compression):
    survives(content, kind, compression)


@settings(max_examples=300, deadline=None)
@given(st.text('ab1.,"\n\r\t -+eE0é', max_size=60))
def test_any_csv_text_is_read_or_refused(text):
    survives(("a,b\n" + text).encode(), "csv")
