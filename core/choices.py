"""What is asked for one column's way into the network, before anything is learned."""

from dataclasses import dataclass
from typing import Literal

MissingChoice = Literal["impute", "mean", "median", "constant", "indicator", "error"]
Missing = Literal["impute", "error"]  # what a fitted feature does
Unseen = Literal["other", "error"]


@dataclass(frozen=True)
class Choice:
    """One column's preprocessing; what does not concern its type is not read.

    scaling: of numbers, a name in SCALINGS. encoding: of levels, a name in ENCODINGS.
    missing: impute and mean fill in the mean, median the median, each of them the most frequent
    level of levels; constant fills in `fill`; indicator imputes and adds an input that is 1 where
    the value was missing; error refuses.
    unseen: other takes a level that training did not see as none of the known; error refuses.
    levels: the order of an ordinal encoding. parts: of a date. dimensions: of an embedding, None
    for as many as its levels suggest.
    """

    scaling: str = "standardize"
    encoding: str = "one_hot"
    missing: MissingChoice = "impute"
    unseen: Unseen = "other"
    fill: float | str | bool | None = None
    levels: tuple[str, ...] | None = None
    parts: tuple[str, ...] | None = None
    dimensions: int | None = None

    @property
    def refusal(self) -> Missing:
        """What the fitted feature does with a missing value."""
        return "error" if self.missing == "error" else "impute"
