"""What an agent and a sweep's process tell each other."""

from typing import Any

import msgspec


class Trial(msgspec.Struct, frozen=True):
    """One network of a sweep; without an outcome until it is trained and judged.

    number: its place in the order of all, from 0. turn: the round it was proposed in; candidate:
    its place in that round. share: of the job's epochs. losses: what judging rows lost, float32,
    of at most 1,000 rows; None when it diverged.
    """

    number: int
    turn: int
    candidate: int
    repeat: int
    point: dict[str, Any]
    share: float
    loss: float | None = None
    outcome: dict[str, Any] = {}
    losses: bytes | None = None
