"""What a run takes for idle processors, from counters like the kernel's."""

import os
import time
from pathlib import Path

import pytest

from service.worker.processors import Processors

TICK = os.sysconf("SC_CLK_TCK")


def write(path: Path, busy: dict[int, float]) -> None:
    lines = [
        f"cpu{number} {int(seconds * TICK)} 0 0 999 0 0 0 0 0 0" for number, seconds in busy.items()
    ]
    path.write_text("cpu  1 2 3 4 5 6 7 8 9 10\n" + "\n".join(lines) + "\nintr 5\n", "ascii")


def answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: dict[int, float], own: float, most: int
) -> int:
    """After one second in which the processors were busy so long, this process for `own` of it."""
    now = [100.0, 7.0]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[1])
    write(tmp_path / "stat", {0: 50.0, 1: 60.0, 2: 70.0})
    processors = Processors(most, tmp_path / "stat")
    now[:] = [101.0, 7.0 + own]
    write(tmp_path / "stat", {0: 50.0 + busy[0], 1: 60.0 + busy[1], 2: 71.0})
    return processors.free()


@pytest.mark.parametrize(
    ("busy", "own", "most", "free"),
    [
        ({0: 1.0, 1: 0.0}, 1.0, 2, 2),  # only this run, on one of them
        ({0: 1.0, 1: 1.0}, 2.0, 2, 2),  # on both
        ({0: 1.0, 1: 0.2}, 1.0, 2, 2),  # some predictions
        ({0: 1.0, 1: 0.6}, 1.0, 2, 1),  # many predictions
        ({0: 1.0, 1: 1.0}, 1.0, 2, 1),  # another run
        ({0: 1.0, 1: 0.0}, 1.0, 1, 1),  # the settings allow no more
        ({0: 1.0, 1: 1.0}, 0.1, 8, 1),  # a crowd
    ],
)
def test_what_others_leave(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    busy: dict[int, float],
    own: float,
    most: int,
    free: int,
) -> None:
    assert answer(tmp_path, monkeypatch, busy, own, most) == free


def test_without_counters_a_run_stays_on_one(tmp_path: Path) -> None:
    assert Processors(2, tmp_path / "none").free() == 1
