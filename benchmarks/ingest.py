"""Reading, typing, storing and profiling a CSV file, beside pyarrow reading it and writing Parquet.

python -m benchmarks.ingest             30 MB, 200,000 rows x 20 columns
python -m benchmarks.ingest --large     1 GB as well, with limits raised
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROWS = 200_000
LARGE_ROWS = 7_000_000
REPEATS = 7


@dataclass(frozen=True)
class Figures:
    """What one way of reading took. peak_mb: largest resident memory of its process."""

    seconds: float
    peak_mb: float
    base_mb: float


def make(path: Path, rows: int) -> None:
    """Write a CSV file of 17 number and 3 text columns, some 153 bytes a row."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    random = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, rows, ROWS):
            count = min(ROWS, rows - start)
            columns: dict[str, object] = {}
            for i in range(14):
                columns[f"x{i}"] = np.round(random.normal(size=count) * 10, 4)
            for i in range(3):
                columns[f"n{i}"] = random.integers(0, 100_000, count)
            for i in range(3):
                levels = np.array([f"level{j}" for j in range(10 * (i + 1))])
                columns[f"c{i}"] = levels[random.integers(0, len(levels), count)]
            options = pa_csv.WriteOptions(include_header=start == 0, quoting_style="needed")
            pa_csv.write_csv(pa.table(columns), file, options)


def measure(way: str, path: Path, repeats: int) -> Figures:
    """Run one way in a process of its own: median seconds, and its peak memory."""
    command = [sys.executable, "-m", "benchmarks.ingest", "--way", way, str(path), str(repeats)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Figures(**json.loads(out))


def _ours(path: Path, stored: Path) -> None:
    from service.datasets.reading import Limits, ingest

    limits = Limits(decompressed_bytes=4 << 30, rows=1 << 30, cells=1 << 40)
    ingest(path, format="csv", destination=stored, limits=limits)


def _pyarrow(path: Path, stored: Path) -> None:
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    pq.write_table(pa_csv.read_csv(path), stored)


WAYS: dict[str, Callable[[Path, Path], None]] = {"sigmoid": _ours, "pyarrow": _pyarrow}


def _peak_mb() -> float:
    # Not ru_maxrss: that one is inherited from the process which started us.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _run(way: str, path: Path, repeats: int) -> None:

    import service.datasets.reading  # noqa: F401 - imported now, so as not to be timed

    base, seconds = _peak_mb(), []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            start = time.perf_counter()
            WAYS[way](path, Path(folder, "stored"))
            seconds.append(time.perf_counter() - start)
    print(json.dumps(vars(Figures(statistics.median(seconds), _peak_mb(), base))))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure reading a CSV file.")
    parser.add_argument("--large", action="store_true", help="1 GB as well")
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        way, path, repeats = arguments.way
        _run(way, Path(path), int(repeats))
        return
    print("| file | sigmoid | pyarrow alone | ratio | peak memory (of it imports) |")
    print("| --- | --- | --- | --- | --- |")
    cases = [(ROWS, REPEATS), *([(LARGE_ROWS, 1)] if arguments.large else [])]
    for rows, repeats in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table.csv")
            make(path, rows)
            ours = measure("sigmoid", path, repeats)
            theirs = measure("pyarrow", path, repeats)
            print(
                f"| {path.stat().st_size / 1e6:.0f} MB, {rows:,} x 20 | {ours.seconds:.2f} s "
                f"| {theirs.seconds:.2f} s | {ours.seconds / theirs.seconds:.1f} "
                f"| {ours.peak_mb:.0f} MB ({ours.base_mb:.0f} MB) |"
            )


if __name__ == "__main__":
    main()
