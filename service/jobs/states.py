"""The states of a job, and which of them are final."""

from enum import StrEnum


class State(StrEnum):
    """queued → running → succeeded | failed | cancelled; a dead worker's job is interrupted."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
CLAIMABLE = (State.QUEUED, State.INTERRUPTED)
HELD = (State.RUNNING, State.CANCELLING)  # some worker has, or had, a lease
