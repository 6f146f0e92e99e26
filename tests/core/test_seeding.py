"""Counter-based randomness: known answers, uniformity, and one order for NumPy and kernels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core import kernels
from core.seeding import GAMMA, bits, key, mix, permutation, uniform


def test_bits_are_those_of_splitmix64() -> None:
    # The generator's published first outputs for seed 1234567.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert bits(np.uint64(1234567), 5).tolist() == expected
    assert mix(np.array([1234567], np.uint64) + GAMMA)[0] == expected[0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**63), epoch=st.integers(1, 2**40), count=st.integers(1, 300))
def test_permutation_is_a_permutation_and_equals_the_compiled_shuffle(seed, epoch, count) -> None:
    order = permutation(seed, epoch, count)
    assert sorted(order) == list(range(count))
    compiled = np.full(count, -1, np.int64)
    kernels._shuffle(compiled, np.uint64(seed), epoch)
    assert compiled.tolist() == order.tolist()


def test_every_place_gets_every_row_equally_often() -> None:
    places = np.zeros((5, 5))
    for stream in range(4000):
        places[np.arange(5), permutation(0, stream, 5)] += 1
    chi_square = ((places - 800) ** 2 / 800).sum()
    assert chi_square < 39.3  # 16 degrees of freedom, p = 0.001


def test_uniform_numbers_fill_their_interval() -> None:
    draws = uniform(key(5, 1), 100_000)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # 19 degrees of freedom, p = 0.001


def test_seeds_and_streams_are_apart() -> None:
    assert len({int(key(seed, stream)) for seed in range(50) for stream in range(50)}) == 2500
