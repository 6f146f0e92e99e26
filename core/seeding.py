"""Random numbers as a function of (seed, stream, counter): no generator state, so a run resumes
anywhere with nothing but its position.

SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) used as a counter-based generator. All arithmetic is
modulo 2^64. The compiled kernels use the same scalar functions.
"""

import numpy as np
from numpy.typing import NDArray

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S11, S32 = (np.uint64(shift) for shift in (27, 30, 31, 11, 32))
Bits = NDArray[np.uint64]

INIT_STREAM = 1 << 62  # epochs count from 1 and never come near
SPLIT_STREAM = INIT_STREAM + 1
DROPOUT_STREAM = INIT_STREAM + (1 << 32)  # and one for each layer


def mix(z: Bits) -> Bits:
    """SplitMix64's finaliser: every input bit reaches every output bit."""
    z = (z ^ (z >> S30)) * _A
    z = (z ^ (z >> S27)) * _B
    return z ^ (z >> S31)


def key(seed: int, stream: int) -> np.uint64:
    """The starting point of one stream of one seed."""
    high = mix(np.array([seed], dtype=np.uint64) + GAMMA)
    low = mix(np.array([stream], dtype=np.uint64) + GAMMA)
    return np.uint64(mix(high ^ (low * GAMMA))[0])


def bits(start: np.uint64, count: int) -> Bits:
    """`count` random words of the stream that starts at `start`: shape (count,)."""
    counter = np.arange(1, count + 1, dtype=np.uint64)
    return mix(start + counter * GAMMA)


def uniform(start: np.uint64, count: int) -> NDArray[np.float64]:
    """`count` numbers in [0, 1) with 53 random bits: shape (count,)."""
    return (bits(start, count) >> S11) * np.float64(2.0**-53)


def permutation(seed: int, stream: int, count: int) -> NDArray[np.int64]:
    """An order of 0 … count-1 by Fisher and Yates, the same as the compiled kernel's.

    Positions come from the upper half of each word by multiplication (Lemire 2019); the bias is
    below count / 2^32.
    """
    order = np.arange(count, dtype=np.int64)
    words = bits(key(seed, stream), count) >> S32
    for i in range(count - 1, 0, -1):
        j = int(words[i]) * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def mask(start: np.uint64, count: int, dropout: float) -> NDArray[np.float64]:
    """Dropout's factors (count,): 0 for a share of `dropout`, else 1/(1 - dropout).

    Each word gives two draws of 32 bits, the lower first.
    """
    words = bits(start, (count + 1) // 2)
    halves = np.stack((words & np.uint64(0xFFFFFFFF), words >> S32), axis=1).ravel()[:count]
    stays = halves >= np.uint64(dropout * 2.0**32)
    return np.where(stays, 1.0 / (1.0 - dropout), 0.0)


def dropout_key(seed: int, epoch: int, step: int, layer: int) -> np.uint64:
    """The stream of one layer's mask in one step; the inputs are layer 0."""
    of_layer = key(seed, DROPOUT_STREAM + layer)
    return key(int(key(int(of_layer), epoch)), step)
