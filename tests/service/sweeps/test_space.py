"""Spaces and methods: what is proposed, and that it is proposed alike again."""

import math

import pytest

from service.sweeps.methods import METHODS
from service.sweeps.space import applied, every, read, sample, size

SPACE = {
    "/training/optimizer/learning_rate": {"log_range": [0.001, 0.1]},
    "/network/layers/*/units": {"range": [2, 9]},
    "/network/layers/*/activation": {"choice": ["sigmoid", "tanh"]},
}
JOB = {
    "network": {"layers": [{"units": 4, "activation": "relu"}, {"units": 5, "activation": "relu"}]},
    "training": {"optimizer": {"name": "adam", "learning_rate": 0.5}},
}


def test_a_point_is_set_everywhere_a_pointer_names() -> None:
    point = {"/network/layers/*/units": 7, "/training/optimizer/learning_rate": 0.01}
    changed = applied(JOB, point)
    assert [layer["units"] for layer in changed["network"]["layers"]] == [7, 7]
    assert read(changed, "/training/optimizer/learning_rate") == 0.01
    assert JOB["network"]["layers"][0]["units"] == 4
    for path in ("/network/nothing/units", "/network/layers/0/units", "/training/*"):
        with pytest.raises(LookupError):
            applied(JOB, {path: 1})


def test_points_are_within_their_dimensions_and_follow_from_the_seed() -> None:
    points = sample(SPACE, 200, seed=3)
    assert points == sample(SPACE, 200, seed=3) != sample(SPACE, 200, seed=4)
    rates = [point["/training/optimizer/learning_rate"] for point in points]
    assert min(rates) >= 0.001
    assert max(rates) <= 0.1
    below = sum(rate < 0.01 for rate in rates)
    assert 70 < below < 130  # half of a logarithmic range
    assert {point["/network/layers/*/units"] for point in points} == set(range(2, 10))


def test_a_space_of_choices_is_never_asked_for_more_than_it_has() -> None:
    space = {"/a/b": {"choice": [1, 2, 3]}, "/a/c": {"choice": [True, None]}}
    assert size(space) == 6
    assert sample(space, 50, seed=0) == every(space)
    assert len({str(point) for point in sample(space, 5, seed=0)}) == 5


def losses_of(proposals: list) -> list[float]:
    """A landscape with its lowest point at a rate of 0.02 and tanh."""
    return [
        math.log(one.point["/training/optimizer/learning_rate"] / 0.02) ** 2
        + (one.point["/network/layers/*/activation"] != "tanh")
        for one in proposals
    ]


def rounds(method: str, count: int, seed: int) -> list[list]:
    generator = METHODS[method](SPACE, count, seed)
    found = [next(generator)]
    while True:
        try:
            found.append(generator.send(losses_of(found[-1])))
        except StopIteration:
            return found


@pytest.mark.parametrize("method", ["random", "halving", "tpe"])
def test_what_heard_the_same_proposes_the_same(method: str) -> None:
    assert rounds(method, 24, seed=5) == rounds(method, 24, seed=5)


def test_halving_keeps_the_best_third_and_gives_it_thrice_the_epochs() -> None:
    found = rounds("halving", 27, seed=1)
    assert [len(one) for one in found] == [27, 9, 3, 1]
    assert [one[0].share for one in found] == pytest.approx([1 / 27, 1 / 9, 1 / 3, 1])
    best = min(zip(losses_of(found[0]), found[0], strict=True), key=lambda pair: pair[0])[1]
    assert found[-1][0].point == best.point


def test_tpe_looks_where_it_was_good() -> None:
    found = rounds("tpe", 60, seed=2)
    assert sum(len(one) for one in found) == 60
    early = [loss for one in found[:3] for loss in losses_of(one)]
    late = [loss for one in found[-3:] for loss in losses_of(one)]
    assert sum(late) / len(late) < sum(early) / len(early) / 2
