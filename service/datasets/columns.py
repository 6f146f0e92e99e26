"""The typing rules: what a column of text cells is, and how it is said that a table is unusable.

docs/data.md tells the same rules in words. A column is a number when every cell is, boolean when
every cell is, and text otherwise; a missing cell says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["number", "boolean", "text"]
ARROW: dict[Kind, pa.DataType] = {
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null", "None",
           "<NA>", "#N/A", "?")  # fmt: skip
EXACT = 2**53  # from here on float64 skips integers
MOSTLY = 0.95  # share of numbers from which a text column looks like a spoilt number column


@dataclass(frozen=True)
class Fault:
    """What makes a table unusable, and where. Never holds a cell's content.

    row: index of the data row, from 0. line: line of the file, from 1. column: its name.
    """

    code: str
    detail: str
    expected: str | None = None
    row: int | None = None
    line: int | None = None
    column: str | None = None


class DatasetInvalid(Exception):
    """The upload is no table that can be used; `errors` say why and where."""

    def __init__(self, *errors: Fault) -> None:
        super().__init__(errors[0].detail)
        self.errors: Sequence[Fault] = errors


class Token(IntEnum):
    """What the text of one cell looks like."""

    PLAIN = 0
    NUMBER = 1
    BOOLEAN = 2
    NOT_FINITE = 3
    CODE = 4  # digits with a leading zero: a postal code, an identifier
    LARGE = 5  # an integer that float64 cannot hold
    COMMA = 6  # a decimal or thousands comma
    DATE = 7


_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_PATTERNS = {  # later ones win
    Token.DATE: r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,+Z -]*)?"
    r"|[0-9]{1,2}([./-])[0-9]{1,2}[./-][0-9]{2,4})$",
    Token.COMMA: r"^[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]*,[0-9]+)$",
    Token.BOOLEAN: r"^(?i:true|false|yes|no)$",
    Token.NOT_FINITE: r"^[+-]?(?i:inf|infinity|nan)$",
}
_TRUE = pa.array(["true", "yes"])


def tokens(values: pa.StringArray) -> npt.NDArray[np.int8]:
    """The Token of each value. values: trimmed, without nulls."""
    found = np.zeros(len(values), np.int8)
    for token, pattern in _PATTERNS.items():
        found[_matches(values, pattern)] = token
    numeric = np.flatnonzero(_matches(values, _NUMBER))
    if len(numeric):
        texts = values.take(pa.array(numeric))
        parsed = texts.cast(pa.float64()).to_numpy()
        kinds = np.full(len(numeric), Token.NUMBER, np.int8)
        whole = _matches(texts, r"^[+-]?[0-9]+$")
        kinds[whole & (np.abs(parsed) >= EXACT)] = Token.LARGE
        kinds[~np.isfinite(parsed) & ~whole] = Token.NOT_FINITE
        kinds[_matches(texts, r"^[+-]?0[0-9]")] = Token.CODE
        found[numeric] = kinds
    return found


def _matches(values: pa.StringArray, pattern: str) -> npt.NDArray[np.bool_]:
    return pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


class Evidence:
    """What the cells of one text column have looked like so far, and the type that follows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.counts = np.zeros(len(Token), np.int64)
        self.first = np.full(len(Token), -1, np.int64)  # row of the first cell of each kind

    def add(self, cells: pa.StringArray) -> "Block":
        """Take in the next cells (null = missing) and return them understood."""
        start, self.rows = self.rows, self.rows + len(cells)
        values = _plain_numbers(cells) if self.kind() == "number" else None
        if values is not None:
            self._count(Token.NUMBER, len(cells) - cells.null_count, start)
            return Block(numbers=values)
        encoded = _trimmed(cells.dictionary_encode())
        kinds = tokens(encoded.dictionary)
        present = encoded.indices.drop_null().to_numpy()
        rows = start + np.flatnonzero(encoded.indices.is_valid().to_numpy(zero_copy_only=False))
        per_cell = kinds[present]
        for token in np.unique(kinds):
            where = np.flatnonzero(per_cell == token)
            if len(where):
                self._count(Token(token), len(where), int(rows[where[0]]))
        return Block(encoded=encoded, kinds=frozenset(np.unique(per_cell).tolist()))

    def _count(self, token: Token, count: int, row: int) -> None:
        self.counts[token] += count
        if count and self.first[token] < 0:
            self.first[token] = row

    def kind(self) -> Kind:
        """The type that fits all cells so far. `fault` tells whether it may be used."""
        present = int(self.counts.sum())
        if self.counts[Token.NUMBER] == present:
            return "number"
        return "boolean" if self.counts[Token.BOOLEAN] == present else "text"

    def fault(self) -> Fault | None:
        """Why the column cannot be used as it is: numbers spoilt by infinities or commas."""
        numbers, present = self.counts[Token.NUMBER], self.counts.sum()
        infinite, comma = self.counts[Token.NOT_FINITE], self.counts[Token.COMMA]
        if comma and numbers + infinite + comma == present:
            return Fault(
                "decimal_comma",
                "A number is written with a comma.",
                "a decimal point and no thousands separators, such as 1234.5",
                row=int(self.first[Token.COMMA]),
                column=self.name,
            )
        if infinite and numbers + infinite == present:
            return Fault(
                "not_finite",
                "A number is infinite, not a number, or beyond what float64 holds.",
                "a finite number, or an empty cell where the value is missing",
                row=int(self.first[Token.NOT_FINITE]),
                column=self.name,
            )
        return None

    def warning(self) -> tuple[str, str, int] | None:
        """(code, sentence, row it speaks of) when the type may surprise."""
        if self.kind() != "text":
            return None
        present = int(self.counts.sum())
        digits = self.counts[[Token.NUMBER, Token.CODE, Token.LARGE]]
        if self.counts[Token.DATE] == present:
            row = int(self.first[Token.DATE])
            return "date_as_text", "Dates are kept as text; derive numbers to learn from", row
        if digits.sum() == present:
            if digits[1]:
                row = int(self.first[Token.CODE])
                return "leading_zeros", "Numbers with leading zeros are codes, kept as text", row
            row = int(self.first[Token.LARGE])
            return "large_integers", "Integers of 2^53 and more are kept as text", row
        if self.counts[Token.NUMBER] >= MOSTLY * present:
            others = np.flatnonzero(self.counts)
            row = int(min(self.first[token] for token in others if token != Token.NUMBER))
            count = present - int(self.counts[Token.NUMBER])
            return "mostly_numbers", f"Text, because {count} of {present} cells are no number", row
        return None


@dataclass(frozen=True)
class Block:
    """Some cells of a text column: as numbers at once, or as distinct trimmed texts."""

    numbers: pa.DoubleArray | None = None
    encoded: pa.DictionaryArray | None = None
    kinds: frozenset[int] = frozenset()

    def typed(self, kind: Kind, cells: pa.StringArray) -> pa.Array | None:
        """The cells in that type; None when some do not fit."""
        if self.numbers is not None:
            if kind == "number":
                return self.numbers
            if cells.null_count == len(cells):
                return pa.nulls(len(cells), ARROW[kind])
            return cells if kind == "text" else None
        assert self.encoded is not None
        dictionary, indices = self.encoded.dictionary, self.encoded.indices
        if kind == "number":
            return (
                dictionary.cast(pa.float64()).take(indices)
                if self.kinds <= {Token.NUMBER}
                else None
            )
        if kind == "boolean":
            if not self.kinds <= {Token.BOOLEAN}:
                return None
            return pc.is_in(pc.utf8_lower(dictionary), value_set=_TRUE).take(indices)
        return dictionary.take(indices)


def _plain_numbers(cells: pa.StringArray) -> pa.DoubleArray | None:
    """The cells as numbers when all follow the grammar without a second look, which most do.

    Arrow's own grammar is ours, but for infinities, leading zeros and inexact integers.
    """
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values = numbers.to_numpy(zero_copy_only=False)
    magnitudes = np.abs(values)
    if np.count_nonzero(magnitudes < EXACT) != len(cells) - cells.null_count:
        return None
    return None if _has_leading_zero(cells) else numbers


def _has_leading_zero(cells: pa.StringArray) -> bool:
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[cells.offset :][: len(cells) + 1]
    data = cells.buffers()[2]
    if data is None or offsets[-1] == offsets[0]:
        return False
    characters = np.frombuffer(data, np.uint8)
    starts, ends = offsets[:-1], offsets[1:]
    starts = starts[ends - starts > 1]
    ends = offsets[1:][ends - offsets[:-1] > 1]
    first = characters[starts]
    signed = (first == ord("-")) | (first == ord("+"))
    starts = starts + signed
    zero = characters[starts] == ord("0")
    starts, ends = starts[zero] + 1, ends[zero]
    starts = starts[starts < ends]
    following = characters[starts]
    return bool(np.any((following >= ord("0")) & (following <= ord("9"))))


def _trimmed(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same cells without white space around them, missing ones null."""
    trimmed = pc.ascii_trim_whitespace(encoded.dictionary)
    if trimmed.equals(encoded.dictionary):
        return encoded
    missing = pc.is_in(trimmed, value_set=pa.array(MISSING))
    trimmed = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    return trimmed.take(encoded.indices).dictionary_encode()


def check_names(names: Sequence[str], *, longest: int, most: int, line: int | None) -> None:
    """Raise DatasetInvalid unless the names can be told apart and printed."""
    if len(names) > most:
        detail = f"There are {len(names)} columns."
        raise DatasetInvalid(Fault("too_many_columns", detail, f"at most {most}", line=line))
    faults, seen = [], set()
    for position, name in enumerate(names, 1):
        if not name:
            detail = f"Column {position} has no name (pandas: to_csv(index=False))."
            faults.append(Fault("empty_name", detail, "a name for every column", line=line))
        elif len(name) > longest:
            detail = f"The name of column {position} is too long."
            faults.append(
                Fault("name_too_long", detail, f"at most {longest} characters", line=line)
            )
        elif any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
            detail = f"The name of column {position} has a control character."
            faults.append(Fault("control_character", detail, "printable names", line=line))
        elif name in seen:
            detail = f"Column {position} has the name of an earlier one."
            faults.append(Fault("duplicate_name", detail, "a different name each", line=line))
        seen.add(name)
    if faults:
        raise DatasetInvalid(*faults[:20])


def check_text(cells: pa.StringArray, name: str, *, longest: int, start: int) -> None:
    """Raise DatasetInvalid when a cell is too long or holds a NUL. start: row of the first cell."""
    if len(cells) == 0 or cells.buffers()[2] is None:
        return
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[cells.offset :][: len(cells) + 1]
    if np.diff(offsets).max() > longest:
        lengths = pc.fill_null(pc.utf8_length(cells), 0).to_numpy(zero_copy_only=False)
        over = np.flatnonzero(lengths > longest)
        if len(over):
            expected = f"at most {longest} characters"
            row = start + int(over[0])
            raise DatasetInvalid(
                Fault("cell_too_long", "A cell is too long.", expected, row=row, column=name)
            )
    data = np.frombuffer(cells.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    zeros = np.flatnonzero(data == 0)
    if len(zeros):
        row = start + int(np.searchsorted(offsets, zeros[0] + offsets[0], side="right")) - 1
        raise DatasetInvalid(
            Fault("nul", "A cell holds a NUL character.", "text without it", row=row, column=name)
        )
