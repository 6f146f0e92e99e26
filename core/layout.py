"""Where everything is: one row of numbers a layer, for compiled code that knows no objects.

A fit has one flat vector of parameters and one flat buffer for what a batch makes of them. LAYOUT
names the columns of an integer table that says where each layer's parts start in them; what a
layer does not have is at -1. KNOBS are its real numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.activations import ACTIVATIONS, SATURATED
from core.network import Network

# of the parameters: weights, biases, batch norm's scale, running mean (the variance behind it)
IN, OUT, WEIGHTS, BIASES, SCALE, RUNNING = range(6)
# of the buffer: sums before and after the activation, what the next layer is given, their
# gradient, dropout's mask, normalised sums, 1/deviation (the mean behind it), and how many rows
# were not flat, unit by unit
SUMS, ACTIVATED, GIVEN, DELTA, MASK, NORMAL, INVERSE, LIVELY = range(6, 14)
# address of the activation; whether the layer is trained, has biases, is one of embeddings
ACTIVATION, TRAINED, BIASED, LOOKED_UP = range(14, 18)
COLUMNS = 18
ALPHA, DROPOUT, FLAT = range(3)
_ALIGNED = 16  # numbers: a part starts where a vector register would


@dataclass(frozen=True)
class Layout:
    """The tables, and how long the buffer has to be.

    table: (layers, COLUMNS) int64. knobs: (layers, 3) float64. size: of the buffer.
    """

    table: NDArray[np.int64]
    knobs: NDArray[np.float64]
    size: int


def lay_out(
    network: Network, rows: int, addresses: tuple[int, ...], frozen: frozenset[int]
) -> Layout:
    """Places for batches of up to `rows` rows. addresses: of each layer's activation."""
    table = np.full((len(network.activations), COLUMNS), -1, np.int64)
    knobs = np.zeros((len(table), 3))
    free, running = 0, network.learned_count

    def take(count: int) -> int:
        nonlocal free
        start, free = free, free + -(-count // _ALIGNED) * _ALIGNED
        return start

    for layer, row in enumerate(table):
        n, m = network.sizes[layer : layer + 2]
        hidden = network.trained[layer] if layer < len(network.trained) else None
        row[IN], row[OUT], row[WEIGHTS] = n, m, network.offsets[layer]
        row[BIASES] = row[WEIGHTS] + network.weight_counts[layer]
        row[LOOKED_UP] = layer == 0 and len(network.embeddings) > 0
        row[SUMS], row[ACTIVATED], row[DELTA] = take(rows * m), take(rows * m), take(rows * m)
        row[GIVEN] = row[ACTIVATED]
        row[ACTIVATION], row[LIVELY] = addresses[layer], take(m)
        row[TRAINED] = layer not in frozen
        row[BIASED] = hidden is None or hidden.bias
        if hidden is not None and hidden.batch_norm:
            row[SCALE], row[RUNNING] = row[BIASES] + m, running
            row[NORMAL], row[INVERSE] = take(rows * m), take(2 * m)
            running += 2 * m
        if hidden is not None and hidden.dropout > 0:
            row[MASK], row[GIVEN] = take(rows * m), take(rows * m)
        activation = ACTIVATIONS[network.activations[layer]]
        dropout = 0.0 if hidden is None else hidden.dropout
        knobs[layer] = network.alphas[layer], dropout, SATURATED * activation.steepest
    return Layout(table, knobs, free)
