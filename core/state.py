"""What a run carries from step to step, and a checkpoint holds: all, and nothing besides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import places
from core.network import Floats, Network
from core.optimizers import MEMORY, OPTIMIZERS
from core.recipe import Recipe
from core.schedules import MEMORY as SCHEDULE_MEMORY


@dataclass(frozen=True, eq=False)
class State:
    """The arrays, which compiled training changes in place; `core.places` says what is where.

    memory, slots: what the optimiser remembers, as a whole and of each learned parameter.
    plateau: what the schedule does. averaged: of the weights, empty where none is asked for.
    kept: the last weights that were finite; best: those of the best epoch.
    """

    position: NDArray[np.int64]
    sums: Floats
    memory: Floats
    plateau: Floats
    theta: Floats
    slots: Floats
    averaged: Floats
    kept: Floats
    best: Floats

    @classmethod
    def begin(cls, network: Network, recipe: Recipe, theta: Floats) -> "State":
        """Before the first step, at the parameters theta."""
        hidden = sum(layer.units for layer in network.trained)
        start = np.array(theta, recipe.dtype)
        return cls(
            position=np.zeros(places.POSITIONS, np.int64),
            sums=np.zeros(places.TALLY + 3 * len(network.activations) + hidden),
            memory=np.zeros(MEMORY),
            plateau=np.zeros(SCHEDULE_MEMORY),
            theta=start,
            slots=np.zeros(
                (OPTIMIZERS[recipe.optimizer].slots, network.learned_count), recipe.dtype
            ),
            averaged=start.copy() if recipe.average else start[:0].copy(),
            kept=start.copy(),
            best=start.copy(),
        )

    def to_bytes(self) -> bytes:
        """All arrays, one after the other."""
        return b"".join(array.tobytes() for array in vars(self).values())

    def restore(self, content: bytes) -> None:
        """Become what `to_bytes` of an equal run gave. Raises ValueError for other sizes."""
        arrays = list(vars(self).values())
        if len(content) != sum(array.nbytes for array in arrays):
            raise ValueError("this state is of another run: its size does not fit the network")
        start = 0
        for array in arrays:
            part = content[start : start + array.nbytes]
            array[...] = np.frombuffer(part, array.dtype).reshape(array.shape)
            start += array.nbytes
