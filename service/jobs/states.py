"""The life of a job: its states, and from which of them each may be entered.

Every change of state in the service is one `service.jobs.transitions.move`, and `move` goes by the
table below; docs/jobs.md draws it.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


CLAIMABLE = (State.QUEUED, State.INTERRUPTED)
HELD = (State.RUNNING, State.PAUSING, State.CANCELLING)  # some worker has, or had, a lease
FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

ENTERED_FROM: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PAUSED}),
    State.RUNNING: frozenset({State.QUEUED, State.INTERRUPTED, State.PAUSING}),
    State.PAUSING: frozenset({State.RUNNING}),
    State.PAUSED: frozenset({State.QUEUED, State.INTERRUPTED, State.PAUSING}),
    State.CANCELLING: frozenset({State.RUNNING, State.PAUSING}),
    State.INTERRUPTED: frozenset({State.RUNNING}),
    # A pause that comes too late gives way to the end of the run; a cancel never does.
    State.SUCCEEDED: frozenset({State.RUNNING, State.PAUSING}),
    State.FAILED: frozenset({State.RUNNING, State.PAUSING}),
    State.CANCELLED: frozenset({State.QUEUED, State.INTERRUPTED, State.PAUSED, State.CANCELLING}),
}

# Where a job goes whose run ends before its work does: as was asked, or back into the queue.
SET_ASIDE = {
    State.RUNNING: State.INTERRUPTED,
    State.PAUSING: State.PAUSED,
    State.CANCELLING: State.CANCELLED,
}
