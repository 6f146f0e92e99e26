"""CSV and TSV: cells are read as text by pyarrow and typed by our own rules."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.csv as pa_csv

from service.datasets.columns import (
    MISSING,
    Block,
    DatasetInvalid,
    Evidence,
    Fault,
    check_names,
    check_text,
)
from service.datasets.lines import Survey, not_utf8
from service.datasets.source import Limits, Source
from service.datasets.tables import Kinds, Warning_, schema_of, warning

_BLOCK = 1 << 20
_THREADS = 2
_RECORD = re.compile(rb'(?>(?:[^"\r\n]+|"(?>[^"]|"")*+"|")*+)(?:\r\n|\r|\n|\Z)')
_BLANK = re.compile(rb"(?:[ \t]*(?:\r\n|\r|\n))*")
_BREAK = re.compile(rb"\r\n|\r|\n")
_NAMES = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}
Reopen = Callable[[], Source]


@dataclass(frozen=True)
class Header:
    """The first record: column names, and the number of lines up to its end."""

    names: tuple[str, ...]
    lines: int


class _Feed:
    """What follows the header, as a file for pyarrow; counts what tells lines from rows."""

    closed = False

    def __init__(self, source: Source, ahead: bytes, line: int) -> None:
        self._source = source
        self._ahead = ahead
        self._line = line
        self.breaks = self.quotes = 0
        self.ends_open = False  # the last line has no line end

    def read(self, size: int) -> bytes:
        """The next bytes. Raises DatasetInvalid at a NUL."""
        data = self._ahead[:size] or self._source.read(size)
        self._ahead = self._ahead[size:]
        if (position := data.find(b"\0")) >= 0:
            line = self._line + self.breaks + data.count(b"\n", 0, position)
            self._source.fault = DatasetInvalid(
                Fault("nul", "The file has NUL bytes.", "plain text in UTF-8", line=line)
            )
            raise self._source.fault
        if data:
            self.breaks += data.count(b"\n")
            self.quotes += data.count(b'"')
            self.ends_open = not data.endswith(b"\n")
        return data

    def close(self) -> None:
        """Files have this; the source is closed by whoever opened it."""


class Delimited:
    """Reader of one CSV or TSV file; see `service.datasets.tables.Reader`."""

    def __init__(
        self,
        source: Source,
        reopen: Reopen,
        limits: Limits,
        *,
        separator: str,
        kinds: Kinds | None = None,
    ) -> None:
        self._source = source
        self._reopen = reopen
        self._limits = limits
        self._separator = separator
        self.header, rest = _header(source.read(_BLOCK), separator, limits)
        # Room for the longest legal record: a character has up to four bytes.
        self._block = max(_BLOCK, 4 * limits.cell_characters * len(self.header.names))
        self._feed = _Feed(source, rest, self.header.lines + 1)
        self._evidence = [Evidence(name) for name in self.header.names]
        self._kinds = None if kinds is None else dict(kinds)
        self.rows = 0

    @property
    def kinds(self) -> Kinds:
        """The columns and types in which the blocks come."""
        return self._kinds or {}

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The rows. Raises DatasetInvalid."""
        consistent = True
        with ThreadPoolExecutor(_THREADS) as threads:
            for batch in self._batches():
                columns = self._typed(batch, threads)
                consistent = consistent and columns is not None
                if consistent and columns is not None:
                    yield pa.RecordBatch.from_arrays(columns, schema=schema_of(self.kinds))
        if self.rows == 0:
            line = self.header.lines + 1
            raise DatasetInvalid(
                Fault("no_rows", "Nothing follows the header.", "at least one row", line=line)
            )
        self._check_quotes()

    def _typed(self, batch: pa.RecordBatch, threads: ThreadPoolExecutor) -> list[pa.Array] | None:
        start, self.rows = self.rows, self.rows + batch.num_rows
        self._limits.check(self.rows, len(self._evidence))

        def understand(evidence: Evidence, cells: pa.StringArray) -> Block:
            check_text(cells, evidence.name, longest=self._limits.cell_characters, start=start)
            return evidence.add(cells)

        try:
            blocks = list(threads.map(understand, self._evidence, batch.columns))
        except DatasetInvalid as error:
            raise DatasetInvalid(*self._located(error.errors)) from None
        if self._kinds is None:
            self._kinds = {evidence.name: evidence.kind() for evidence in self._evidence}
        columns = [
            block.typed(kind, cells)
            for block, kind, cells in zip(blocks, self._kinds.values(), batch.columns, strict=True)
        ]
        return None if any(column is None for column in columns) else columns

    def _batches(self) -> Iterator[pa.RecordBatch]:
        names = [str(position) for position in range(len(self.header.names))]
        try:
            yield from pa_csv.open_csv(
                pa.PythonFile(self._feed, mode="r"),
                read_options=pa_csv.ReadOptions(column_names=names, block_size=self._block),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=list(MISSING),
                    strings_can_be_null=True,
                ),
            )
        except (pa.ArrowException, DatasetInvalid) as error:
            if self._source.fault is not None:
                raise self._source.fault from None
            if "Empty CSV file" in str(error):
                return
            raise self._diagnosed() from None

    def _diagnosed(self) -> DatasetInvalid:
        faults = self._survey().faults
        return DatasetInvalid(*faults or [Fault("unreadable", "The rows cannot be told apart.")])

    def _survey(self, rows: set[int] | None = None) -> Survey:
        survey = Survey(self._separator, self._block, self._limits.cell_characters)
        with self._reopen() as source:
            return survey.read(source, rows or set())

    def _lines_are_rows(self) -> bool:
        lines = self._feed.breaks + self._feed.ends_open
        return lines == self.rows

    def _check_quotes(self) -> None:
        """Pyarrow closes an open quote in silence. A second look where that may have been."""
        if self._feed.quotes and (self._feed.quotes % 2 or not self._lines_are_rows()):
            faults = self._survey().faults
            if faults:
                raise DatasetInvalid(*faults)

    def verdict(self) -> Kinds:
        """The types that fit all rows, known when `blocks` has ended. Raises DatasetInvalid."""
        faults = [fault for evidence in self._evidence if (fault := evidence.fault())]
        if faults:
            raise DatasetInvalid(*self._located(faults[:20]))
        return {evidence.name: evidence.kind() for evidence in self._evidence}

    def warnings(self) -> list[Warning_]:
        """What the sender should know: code, message and column."""
        found = [(evidence.name, w) for evidence in self._evidence if (w := evidence.warning())]
        lines = self._lines({row for _, (_, _, row) in found})
        listed = [
            warning(code, f"{sentence} (line {lines[row]}).", name)
            for name, (code, sentence, row) in found
        ]
        if all(_is_number(name) for name in self.header.names):
            message = "All column names are numbers: the first line may be data, not a header."
            listed.append(warning("numeric_header", message, None))
        return listed

    def _located(self, faults: Sequence[Fault]) -> list[Fault]:
        lines = self._lines({fault.row for fault in faults if fault.row is not None})
        return [replace(fault, line=lines.get(fault.row)) if fault.row is not None else fault
                for fault in faults]  # fmt: skip

    def _lines(self, rows: set[int]) -> dict[int, int]:
        """Lines of the file by row; a blank line or a cell of two lines shifts them."""
        if rows and not self._lines_are_rows():
            return self._survey(rows).line_of
        return {row: self.header.lines + row + 1 for row in rows}


def _is_number(name: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+", name) is not None


def _header(head: bytes, separator: str, limits: Limits) -> tuple[Header, bytes]:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
        raise DatasetInvalid(
            Fault("not_utf8", "The text is UTF-16.", "a file saved as UTF-8", line=1)
        )
    head = head.removeprefix(b"\xef\xbb\xbf")
    blank = _BLANK.match(head)
    record = _RECORD.match(head, blank.end() if blank else 0)
    if record is None or not record.group().strip():
        raise DatasetInvalid(Fault("empty", "The file is empty.", "a header and rows", line=1))
    lines = len(_BREAK.findall(head[: record.end()])) or 1
    try:
        text = record.group().decode()
        if "\0" in text:
            raise DatasetInvalid(Fault("nul", "The header has NUL bytes.", "plain text", line=1))
        names = next(csv.reader([text], delimiter=separator, strict=True))
    except UnicodeDecodeError:
        raise DatasetInvalid(not_utf8(lines)) from None
    except csv.Error:
        detail = "The quotes of the header do not match."
        raise DatasetInvalid(Fault("stray_quote", detail, "closed quotes", line=lines)) from None
    names = [name.strip() for name in names]
    if len(names) == 1:
        _check_separator(names[0], separator, lines)
    check_names(names, longest=limits.name_characters, most=limits.columns, line=lines)
    return Header(tuple(names), lines), head[record.end() :]


def _check_separator(name: str, separator: str, line: int) -> None:
    for other in ("\t", ";", "|", ","):
        if other in name and other != separator:
            hint = {
                "\t": " Send it as text/tab-separated-values.",
                ",": " Send it as text/csv.",
            }.get(other, " Save it with commas, and with decimal points.")
            detail = f"The header has one cell; the separator seems to be {_NAMES[other]}.{hint}"
            raise DatasetInvalid(
                Fault("separator", detail, f"cells separated by {_NAMES[separator]}", line=line)
            )
