"""What can be wrong with data and with models, said so that the owner of the data can mend it.

Messages name the column, what was expected and what to do; they never repeat a value.
"""


class DataError(ValueError):
    """Data that cannot be used. `str(error)` is one sentence for the owner of the data.

    column: the column's name, where one is to blame. row: its row, counted from 0.
    code: the same for every error of one kind, for programs.
    """

    code = "data_invalid"

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.column = column
        self.row = row


class MissingColumn(DataError):
    """A column that is needed is not there."""

    code = "missing_column"


class UnknownColumn(DataError):
    """A column is there that nobody asked for."""

    code = "unknown_column"


class WrongType(DataError):
    """A value or column is of another type than expected."""

    code = "wrong_type"


class MissingValue(DataError):
    """A value is missing where one is needed."""

    code = "missing_value"


class NonFinite(DataError):
    """A number is infinite, not a number, or too large to compute with."""

    code = "non_finite"


class UnseenLevel(DataError):
    """A category has a level that training did not see."""

    code = "unseen_level"


class TargetInvalid(DataError):
    """The target does not fit its task."""

    code = "target_invalid"


class TooWide(DataError):
    """A table needs more inputs than a network here may have."""

    code = "too_wide"


class ModelInvalid(ValueError):
    """A model's file is damaged, or no file of this program's."""
