"""Real data sets that ship with the service, in the folder beside this file."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("samples")


@dataclass(frozen=True)
class Sample:
    """A bundled CSV file, and whose it is. target: the column one usually predicts."""

    name: str
    title: str
    licence: str
    source: str
    path: Path
    target: str


SAMPLES = {
    "penguins": Sample(
        name="penguins",
        title="Palmer penguins: three species by their measurements",
        licence="CC0-1.0",
        source="Gorman KB, Williams TD, Fraser WR (2014), https://doi.org/10.1371/journal.pone.0090081;"
        " packaged at https://allisonhorst.github.io/palmerpenguins/",
        path=_FOLDER / "penguins.csv",
        target="species",
    )
}
