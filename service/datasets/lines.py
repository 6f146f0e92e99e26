"""Looking at a text table line by line: slow, and so only to say where a fault is."""

import csv
from collections.abc import Collection, Iterator
from typing import Protocol

from service.datasets.columns import DatasetInvalid, Fault

_CHUNK = 1 << 18
_MOST_FAULTS = 10


class Stream(Protocol):
    """Anything to read bytes from."""

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`."""


def lines(stream: Stream, longest: int) -> Iterator[bytes]:
    """Lines with their ends (LF, CRLF or CR). Raises DatasetInvalid past `longest` bytes."""
    held, number = b"", 0
    while chunk := stream.read(_CHUNK):
        pieces = (held + chunk).splitlines(keepends=True)
        held = pieces.pop()  # its end, or the LF of its CRLF, may be still to come
        for piece in pieces:
            number += 1
            yield piece
        if len(held) > longest:
            detail = "A line is too long; a quote may be open."
            raise DatasetInvalid(
                Fault("line_too_long", detail, f"at most {longest} bytes", line=number + 1)
            )
    yield from held.splitlines(keepends=True)


def texts(stream: Stream, longest: int) -> Iterator[str]:
    """Lines as text. Raises DatasetInvalid at the first that is not UTF-8."""
    for number, line in enumerate(lines(stream, longest), 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DatasetInvalid(not_utf8(number)) from None


def not_utf8(line: int) -> Fault:
    """The fault of a line in another encoding."""
    return Fault("not_utf8", "The text is not UTF-8.", "a file saved as UTF-8", line=line)


class Survey:
    """Where things are in a delimited file: its faults, and the lines of some rows."""

    def __init__(self, separator: str, longest_line: int, longest_cell: int) -> None:
        self.faults: list[Fault] = []
        self.line_of: dict[int, int] = {}
        self._separator = separator
        self._longest_line = longest_line
        self._longest_cell = longest_cell

    def read(self, stream: Stream, rows: Collection[int] = ()) -> "Survey":
        """Walk through the whole file; stops at the first line that cannot be read at all."""
        reader = csv.reader(
            texts(stream, self._longest_line), delimiter=self._separator, strict=True
        )
        header, row, start = None, 0, 1
        try:
            for record in reader:
                if header is None:
                    header = record if any(map(str.strip, record)) else None
                elif record:
                    if row in rows:
                        self.line_of[row] = start
                    self._look(record, header, row, start)
                    row += 1
                    if len(self.faults) >= _MOST_FAULTS:
                        break
                start = reader.line_num + 1
        except DatasetInvalid as error:
            self.faults.extend(error.errors)
        except csv.Error as error:
            self.faults.append(_syntax_fault(str(error), row if header else None, start))
        return self

    def _look(self, record: list[str], header: list[str], row: int, line: int) -> None:
        if len(record) != len(header):
            detail = f"The line has {len(record)} cells."
            expected = f"{len(header)} cells, as in the header"
            self.faults.append(Fault("ragged", detail, expected, row=row, line=line))
        elif max(map(len, record)) > self._longest_cell:
            column = next(
                name
                for name, cell in zip(header, record, strict=True)
                if len(cell) > self._longest_cell
            )
            expected = f"at most {self._longest_cell} characters"
            detail = "A cell is too long; a quote may be open."
            self.faults.append(Fault("cell_too_long", detail, expected, row, line, column.strip()))


def _syntax_fault(message: str, row: int | None, line: int) -> Fault:
    if "end of data" in message:
        detail = "A quoted cell that starts on this line never ends."
        return Fault("unclosed_quote", detail, "a closing quote", row=row, line=line)
    if "limit" in message:
        detail = "A cell is too long; a quote may be open."
        return Fault("cell_too_long", detail, "short cells", row=row, line=line)
    detail = "Something follows the closing quote of a cell."
    return Fault("stray_quote", detail, "quotes inside cells doubled", row=row, line=line)
