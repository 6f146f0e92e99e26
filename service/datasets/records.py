"""JSON: an array of flat records, or one record a line (NDJSON); the values state their types."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import pyarrow as pa

from service.datasets.columns import (
    ARROW,
    EXACT,
    DatasetInvalid,
    Fault,
    Kind,
    check_names,
    check_text,
)
from service.datasets.lines import lines, not_utf8
from service.datasets.source import Limits, Source
from service.datasets.tables import Kinds, Warning_, schema_of, warning

Scalar = int | float | str | bool | None
Record = dict[str, Scalar]
_decode = msgspec.json.Decoder(list[Record]).decode
_BATCH = 4_096
_BATCH_BYTES = 1 << 20
_LONGEST = 4 << 20  # bytes of one record
_CHUNK = 1 << 18
_SPACE = re.compile(rb"[ \t\r\n]*+")
_FLAT = rb'\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+'
_OBJECT = re.compile(_FLAT + rb"\}", re.DOTALL)
_NESTED = re.compile(_FLAT + rb"[\[{]", re.DOTALL)
_KINDS: dict[type, Kind] = {int: "number", float: "number", bool: "boolean", str: "text"}


class Records:
    """Reader of one JSON or NDJSON file; see `service.datasets.tables.Reader`."""

    def __init__(
        self, source: Source, limits: Limits, *, is_lines: bool, kinds: Kinds | None = None
    ) -> None:
        self._source = source
        self._limits = limits
        self._is_lines = is_lines
        self._kinds: dict[str, Kind] | None = None if kinds is None else dict(kinds)
        self._is_told = kinds is not None
        self._seen: dict[str, Kind | None] = dict.fromkeys(kinds or (), None)
        self._large: dict[str, int] = {}  # columns with an integer beyond float64, its row
        self.rows = 0

    @property
    def kinds(self) -> Kinds:
        """The columns and types in which the blocks come."""
        return self._kinds or {}

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The rows. Raises DatasetInvalid."""
        pieces = _ndjson(self._source) if self._is_lines else _elements(self._source)
        for batch in _batches(pieces):
            records = _parsed(batch, self.rows, is_lines=self._is_lines)
            columns = self._columns(records)
            if not columns:
                break
            start, self.rows = self.rows, self.rows + len(records)
            self._limits.check(self.rows, len(columns))
            for name, values in columns.items():
                self._survey(name, values, start)
            if self._kinds is None:
                self._kinds = dict(self.verdict())
            if self._is_told or self.verdict() == self._kinds:
                arrays = [self._array(name, columns[name], start) for name in self._kinds]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema_of(self._kinds))
        if self.rows == 0:
            detail = "There are no records, or the first ones are empty."
            raise DatasetInvalid(Fault("no_rows", detail, "records with at least one column"))

    def _columns(self, records: Sequence[Record]) -> dict[str, list[Scalar]]:
        new = [name for record in records for name in record if name not in self._seen]
        if new:
            self._seen.update(dict.fromkeys(new))
            check_names(
                list(self._seen),
                longest=self._limits.name_characters,
                most=self._limits.columns,
                line=None,
            )
        return {name: [record.get(name) for record in records] for name in self._seen}

    def _survey(self, name: str, values: Sequence[Scalar], start: int) -> None:
        types = set(map(type, values)) - {type(None)}
        kinds = {_KINDS[kind] for kind in types}
        known = self._seen[name]
        if len(kinds | ({known} if known else set())) > 1:
            known = known or next(_KINDS[type(value)] for value in values if value is not None)
            row = next(
                row
                for row, value in enumerate(values, start)
                if value is not None and _KINDS[type(value)] != known
            )
            expected = f"a {known}, as in the records before, or null where it is missing"
            detail = "The value has another type than those before."
            raise DatasetInvalid(Fault("mixed_types", detail, expected, row=row, column=name))
        if kinds:
            self._seen[name] = kinds.pop()
        if int in types and name not in self._large:
            for row, value in enumerate(values, start):
                if type(value) is int and abs(value) >= EXACT:
                    self._large[name] = row
                    break

    def _array(self, name: str, values: Sequence[Scalar], start: int) -> pa.Array:
        kind = self.kinds[name]
        if kind == "text":
            texts = pa.array(
                [
                    None if v is None or v == "" else v if isinstance(v, str) else str(v)
                    for v in values
                ],
                pa.string(),
            )
            longest = self._limits.cell_characters
            check_text(texts, name, longest=longest, start=start)
            return texts
        return pa.array(values, ARROW[kind])

    def verdict(self) -> Kinds:
        """The types that fit all rows so far."""
        return {
            name: "text" if name in self._large else kind or "number"
            for name, kind in self._seen.items()
        }

    def warnings(self) -> list[Warning_]:
        """What the sender should know."""
        message = "Integers of 2^53 and more are kept as text (record {})."
        return [
            warning("large_integers", message.format(row + 1), name)
            for name, row in self._large.items()
        ]


def _ndjson(source: Source) -> Iterator[bytes]:
    for number, line in enumerate(lines(source, _LONGEST)):
        piece = line.strip(b" \t\r\n")
        if number == 0:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
        if piece:
            yield piece


def _elements(source: Source) -> Iterator[bytes]:
    """The objects of one array of flat objects, found without parsing the whole."""
    text = _Window(source)
    if not text.take(b"["):
        raise _malformed(0, "An array of records is expected, or one record a line as NDJSON.")
    row = 0
    if not text.take(b"]"):
        yield text.record(row)
        while text.take(b","):
            row += 1
            yield text.record(row)
        if not text.take(b"]"):
            raise _malformed(row)
    if not text.is_at_end():
        raise _malformed(row, "Something follows the array of records.")


class _Window:
    """The part of a long JSON text that is being looked at."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.read(_CHUNK).removeprefix(b"\xef\xbb\xbf")
        self._at = 0

    def _grow(self) -> bool:
        rest = self._text[self._at :]
        more = self._source.read(max(_CHUNK, len(rest))) if len(rest) < _LONGEST else b""
        self._text, self._at = rest + more, 0
        return bool(more)

    def is_at_end(self) -> bool:
        """Whether only white space is left. Skips white space."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return False
            if not self._grow():
                return True

    def take(self, sign: bytes) -> bool:
        """Whether the next sign is this one, which is then passed."""
        taken = not self.is_at_end() and self._text.startswith(sign, self._at)
        self._at += taken
        return taken

    def record(self, row: int) -> bytes:
        """The next object. Raises DatasetInvalid when there is none that is flat and short."""
        self.is_at_end()
        while (found := _OBJECT.match(self._text, self._at)) is None:
            if not self._grow():
                raise self._no_record(row)
        self._at = found.end()
        return found.group()

    def _no_record(self, row: int) -> DatasetInvalid:
        if _NESTED.match(self._text, self._at):
            return _nested(row, None, None)
        if self._text[self._at : self._at + 1] in (b"{", b"", b"]"):
            return _malformed(row)
        return _not_a_record(row, None)


def _batches(pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parsed(pieces: list[bytes], start: int, *, is_lines: bool) -> list[Record]:
    try:
        records = _decode(b"[" + b",".join(pieces) + b"]")
        if len(records) == len(pieces):
            return records
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    for row, piece in enumerate(pieces, start):
        try:
            _decode(b"[" + piece + b"]")[0].items()
        except (msgspec.MsgspecError, UnicodeError, RecursionError, IndexError):
            raise _fault_of(piece, row, row + 1 if is_lines else None) from None
    raise _malformed(start, "There is more than one record on a line.")


def _fault_of(piece: bytes, row: int, line: int | None) -> DatasetInvalid:
    """What is wrong with one record, in our own words."""
    try:
        record = msgspec.json.decode(piece)
    except UnicodeError:
        return DatasetInvalid(replace(not_utf8(line or 1), row=row, line=line))
    except (msgspec.MsgspecError, RecursionError) as error:
        if "out of range" in str(error):
            detail, expected = "A number is beyond what float64 holds.", "a finite number"
            return DatasetInvalid(Fault("not_finite", detail, expected, row=row, line=line))
        return _malformed(row, line=line)
    if not isinstance(record, dict):
        return _not_a_record(row, line)
    nested = [name for name, value in record.items() if isinstance(value, dict | list)]
    return _nested(row, line, nested[0]) if nested else _malformed(row, line=line)


def _not_a_record(row: int, line: int | None) -> DatasetInvalid:
    detail, expected = "This is no record.", "an object of column names and values"
    return DatasetInvalid(Fault("not_a_record", detail, expected, row=row, line=line))


def _nested(row: int, line: int | None, column: str | None) -> DatasetInvalid:
    detail, expected = "A value is an array or an object.", "a number, text, boolean or null"
    return DatasetInvalid(Fault("nested_value", detail, expected, row, line, column))


def _malformed(
    row: int, detail: str = "The record is no valid JSON.", line: int | None = None
) -> DatasetInvalid:
    expected = "flat records in JSON (RFC 8259: no NaN, no trailing commas)"
    return DatasetInvalid(Fault("malformed_json", detail, expected, row=row, line=line))
