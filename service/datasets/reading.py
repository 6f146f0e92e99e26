"""From an upload on disk to a stored, typed and profiled table.

format_of   which format it is                    ingest, write   read it, store it, profile it
read_rows   rows for people                       convert         read it, store it
read_table  columns for the core                  read_blocks     the same, some rows at a time
"""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from service.datasets.columnar import Columnar
from service.datasets.columns import DatasetInvalid, Fault
from service.datasets.delimited import Delimited
from service.datasets.profile import ColumnProfile, profile
from service.datasets.records import Records
from service.datasets.source import Compression, Limits, Source
from service.datasets.stored import Writer, read_blocks, read_rows, read_table
from service.datasets.tables import Kinds, Reader, Warning_

__all__ = [
    "DatasetInvalid",
    "Fault",
    "Format",
    "Ingested",
    "Kinds",
    "Limits",
    "UnsupportedMedia",
    "convert",
    "format_of",
    "ingest",
    "read_blocks",
    "read_rows",
    "read_table",
    "write",
]

Format = Literal["csv", "tsv", "ndjson", "json", "parquet", "arrow"]
_TYPES: dict[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/json": "json",
    "application/vnd.apache.parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
}
# What clients say when they do not know: the file's name decides, then its first bytes.
_VAGUE = {"", "application/octet-stream", "text/plain", "binary/octet-stream",
          "application/x-www-form-urlencoded", "application/vnd.ms-excel",
          "application/gzip", "application/x-gzip", "application/zstd"}  # fmt: skip
_ENDINGS: dict[str, Format] = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "json": "json",
    "parquet": "parquet",
    "pq": "parquet",
    "arrow": "arrow",
    "arrows": "arrow",
    "feather": "arrow",
}
_SIGNATURES: dict[bytes, Format] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
}
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF document",
    b"BZh": "a bzip2 file; compress with gzip or zstd",
    b"\xfd7zXZ": "an xz file; compress with gzip or zstd",
}
_PASSES = 2


class UnsupportedMedia(Exception):
    """The upload is of no format that can be read; the message says what is."""


@dataclass(frozen=True)
class Ingested:
    """A table that is stored. sha256 and bytes: of what was sent, decompressed."""

    sha256: str
    rows: int
    columns: list[ColumnProfile]
    warnings: list[Warning_]
    format: str
    bytes: int


def format_of(content_type: str | None, filename: str | None, head: bytes) -> Format:
    """The format by Content-Type, else file name, else first bytes. Raises UnsupportedMedia."""
    for signature, what in _FOREIGN.items():
        if head.startswith(signature):
            raise UnsupportedMedia(f"The file is {what}.")
    signed = next((kind for sign, kind in _SIGNATURES.items() if head.startswith(sign)), None)
    stated = _stated(content_type, filename)
    if stated is None:
        first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        stated = signed or ("json" if first == b"[" else "ndjson" if first == b"{" else "csv")
    if signed is not None and signed != stated:
        raise UnsupportedMedia(f"The file is {signed.title()}, but was sent as {stated.upper()}.")
    return stated


def _stated(content_type: str | None, filename: str | None) -> Format | None:
    media = (content_type or "").split(";")[0].strip().lower()
    if media in _TYPES:
        return _TYPES[media]
    if media not in _VAGUE:
        raise UnsupportedMedia(f"Send one of: {', '.join(_TYPES)}.")
    name = (filename or "").lower()
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    return _ENDINGS.get(name.rpartition(".")[2]) if "." in name else None


@dataclass(frozen=True)
class Converted:
    """A table on disk, not yet profiled."""

    sha256: str
    bytes: int
    rows: int
    warnings: list[Warning_]


def ingest(
    source: Path,
    *,
    format: Format,
    destination: Path,
    limits: Limits,
    compression: Compression | None = None,
) -> Ingested:
    """Read an upload into a Parquet file at `destination`, and profile it.

    Memory does not grow with the file. Raises DatasetInvalid, and then leaves no file behind.
    """
    found = convert(
        source, format=format, destination=destination, limits=limits, compression=compression
    )
    return Ingested(
        sha256=found.sha256,
        rows=found.rows,
        columns=profile(destination),
        warnings=found.warnings,
        format=format,
        bytes=found.bytes,
    )


def _as_found(kinds: Kinds) -> Kinds:
    return kinds


def convert(
    source: Path,
    *,
    format: Format,
    destination: Path,
    limits: Limits,
    compression: Compression | None = None,
    prefer: Callable[[Kinds], Kinds] = _as_found,
) -> Converted:
    """Read an upload into a Parquet file at `destination`.

    prefer: the types wanted where those found are others: any column of CSV may be text. Raises
    DatasetInvalid, and then leaves no file behind.
    """
    convert_format = _convert_columnar if format in ("parquet", "arrow") else _convert_text
    try:
        return convert_format(source, format, destination, limits, compression, prefer)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def _convert_text(
    path: Path,
    kind: Format,
    destination: Path,
    limits: Limits,
    compression: Compression | None,
    prefer: Callable[[Kinds], Kinds],
) -> Converted:
    def reopen() -> Source:
        return Source(path, compression, limits)

    with ExitStack() as stack:
        sources: list[Source] = []

        def start(kinds: Kinds | None) -> Reader:
            sources.append(stack.enter_context(reopen()))
            if kind in ("csv", "tsv"):
                separator = "," if kind == "csv" else "\t"
                return Delimited(sources[-1], reopen, limits, separator=separator, kinds=kinds)
            return Records(sources[-1], limits, is_lines=kind == "ndjson", kinds=kinds)

        rows, warnings = _transcribe(start, destination, prefer)
        sources[0].drain()
        return Converted(sources[0].sha256, sources[0].size, rows, warnings)


def _convert_columnar(
    path: Path,
    kind: Format,
    destination: Path,
    limits: Limits,
    compression: Compression | None,
    prefer: Callable[[Kinds], Kinds],
) -> Converted:
    unpacked = destination.with_suffix(".unpacked")
    try:
        with Source(path, compression, limits) as source:
            with unpacked.open("wb") as file:
                while data := source.read(1 << 20):
                    file.write(data)
            sha256, size = source.sha256, source.size
        rows, warnings = _transcribe(
            lambda kinds: Columnar(unpacked, limits, is_parquet=kind == "parquet", kinds=kinds),
            destination,
            prefer,
        )
    finally:
        unpacked.unlink(missing_ok=True)
    return Converted(sha256, size, rows, warnings)


def _transcribe(
    start: Callable[[Kinds | None], Reader], destination: Path, prefer: Callable[[Kinds], Kinds]
) -> tuple[int, list[Warning_]]:
    """Write what the reader reads; a second time when its first rows had promised other types."""
    kinds: Kinds | None = None
    for _ in range(_PASSES):
        reader = start(kinds)
        with ExitStack() as stack:
            writer = None
            for block in reader.blocks():
                writer = writer or stack.enter_context(Writer(destination, reader.kinds))
                writer.write(block)
        kinds = prefer(reader.verdict())
        if writer is not None and kinds == reader.kinds:
            assert writer.rows == reader.rows
            return writer.rows, reader.warnings()
    raise AssertionError("a reader that is told the types keeps to them")


def write(table: pa.Table, destination: Path) -> Ingested:
    """Store a table of our own making: float64, integer, boolean and string columns."""
    kinds: Kinds = {
        field.name: "boolean"
        if pa.types.is_boolean(field.type)
        else "text"
        if pa.types.is_string(field.type)
        else "number"
        for field in table.schema
    }
    with Writer(destination, kinds) as writer:
        for batch in table.cast(writer.schema).to_batches():
            writer.write(batch)
    with destination.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Ingested(
        sha256=sha256,
        rows=table.num_rows,
        columns=profile(destination),
        warnings=[],
        format="parquet",
        bytes=destination.stat().st_size,
    )
