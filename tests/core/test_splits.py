import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.splits import split

FRACTIONS = st.floats(0.001, 0.9)
SEEDS = st.integers(0, 2**32 - 1)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    rows = np.arange(500)
    once, again, other = (
        split(rows, classes=None, fraction=0.2, seed=seed).validation for seed in (7, 7, 8)
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_without_a_fraction_every_row_trains():
    parts = split(np.array([5, 2, 9]), classes=None, fraction=None, seed=1)
    assert parts.train.tolist() == [2, 5, 9]
    assert parts.validation.tolist() == []


@given(st.sets(st.integers(0, 10_000), min_size=2, max_size=200), FRACTIONS, SEEDS)
@settings(deadline=None)
def test_every_row_is_in_one_part_and_the_parts_are_sorted(rows, fraction, seed):
    parts = split(np.array(sorted(rows)), classes=None, fraction=fraction, seed=seed)
    assert sorted([*parts.train, *parts.validation]) == sorted(rows)
    for part in (parts.train, parts.validation):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)
        assert len(part) >= 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), FRACTIONS, SEEDS)
@settings(deadline=None)
def test_every_class_trains_and_its_share_judges(classes, fraction, seed):
    classes = np.array(classes)
    rows = np.arange(len(classes)) * 3
    parts = split(rows, classes=classes, fraction=fraction, seed=seed)
    occurring = set(classes.tolist())
    spare = len(classes) - len(occurring)

    assert set(classes[parts.train // 3].tolist()) == occurring
    assert (len(parts.validation) >= 1) == (spare >= 1)
    judging = len(parts.validation)
    assert judging == min(spare, max(1, round(len(classes) * fraction)))
    if judging + len(occurring) ** 2 <= spare:  # no class runs out of rows to spare
        for one in occurring:
            count = np.count_nonzero(classes == one)
            share = count * judging / len(classes)
            exact = np.count_nonzero(classes[parts.validation // 3] == one)
            assert exact <= share + 1
            assert exact >= min(count - 1, share - 1)


def test_each_row_judges_as_often_as_any_other():
    rows, classes = np.arange(40), np.repeat([0, 1], 20)
    hits = np.zeros(40)
    for seed in range(600):
        hits[split(rows, classes=classes, fraction=0.25, seed=seed).validation] += 1
    expected = 600 * 0.25
    deviation = np.sqrt(600 * 0.25 * 0.75)
    assert np.abs(hits - expected).max() < 4.5 * deviation


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_the_order_of_the_rows_given_changes_nothing(order):
    rows, classes = np.array([10, 20, 30, 40]), np.array([0, 0, 1, 1])
    plain = split(rows, classes=classes, fraction=0.5, seed=3)
    given_order = split(rows[order], classes=classes[order], fraction=0.5, seed=3)
    assert np.array_equal(plain.validation, given_order.validation)
