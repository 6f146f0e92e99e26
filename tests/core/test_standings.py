"""Standings against SciPy, and against what their definitions say."""

import numpy as np
import pytest
from scipy import stats

from core.intervals import compare
from core.standings import holm, standings, student


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 12, 19])
def test_students_t_is_scipys(freedom: int) -> None:
    for t in (0.0, 0.3, 1.0, 2.5, 9.0):
        assert student(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-12)


def test_holm_is_the_definition_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def repeats(middle: float, count: int, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [middle + 0.1 * random.normal() + 0.2 * random.random(50) for _ in range(count)]


def test_several_repeats_are_judged_by_the_corrected_t_test() -> None:
    losses = [repeats(1.0, 5, 1), repeats(3.0, 5, 2), repeats(1.05, 5, 3)]
    share = 0.25

    first, second, third = standings(losses, share)

    assert (first.candidate, first.place, first.p_value) == (0, "best", None)
    expected = []
    for other in (2, 1):
        differences = np.array(
            [ours.mean() - best.mean() for ours, best in zip(losses[other], losses[0], strict=True)]
        )
        t = differences.mean() / np.sqrt((1 / 5 + share) * differences.var(ddof=1))
        expected.append(2 * stats.t.sf(abs(t), 4))
    assert [second.candidate, third.candidate] == [2, 1]
    assert third.p_value == pytest.approx(min(expected[1] * 2, 1.0))
    assert second.p_value == pytest.approx(max(expected[0], min(expected[1] * 2, 1.0)))
    assert (second.place, third.place) == ("cannot tell", "worse")
    means = [rows.mean() for rows in losses[0]]
    reach = stats.t.ppf(0.975, 4) * np.sqrt(1 / 5 + share) * np.std(means, ddof=1)
    assert first.high - first.mean == pytest.approx(reach, rel=1e-4)


def test_one_repeat_is_judged_row_by_row() -> None:
    random = np.random.default_rng(4)
    ours, theirs = random.random(80), random.random(80) + 0.3

    first, second = standings([[theirs], [ours]], 0.25)

    assert (first.candidate, second.candidate) == (1, 0)
    assert second.p_value == compare(ours, theirs, 9).p_value
    assert second.place == "worse"


def test_equal_candidates_cannot_be_told_apart() -> None:
    same = repeats(1.0, 3, 5)
    first, second = standings([same, same], 0.25)
    assert (first.candidate, second.p_value, second.place) == (0, 1.0, "cannot tell")
