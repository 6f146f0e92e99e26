"""The API against a tiny model of the states: what may happen by itself, what each request does."""

from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.chaos.tree import runs, send
from tests.chaos.work import LONG, Work
from tests.conftest import Service, running

ENDED = {"succeeded", "failed", "cancelled"}
# What a state may become with nobody asking. A dying process and a pause leave by `interrupted`.
BY_ITSELF = {
    "queued": {"running"},
    "interrupted": {"running"},
    "running": {"succeeded", "failed", "interrupted"},
    "pausing": {"paused", "succeeded", "failed"},
    "cancelling": {"cancelled"},
}
# What each request makes of a state; a conflict where it is not named.
ASKED = {
    "cancel": {
        **dict.fromkeys(("queued", "interrupted", "paused", "cancelled"), "cancelled"),
        **dict.fromkeys(("running", "pausing", "cancelling"), "cancelling"),
    },
    "pause": {
        **dict.fromkeys(("queued", "interrupted", "paused"), "paused"),
        **dict.fromkeys(("running", "pausing"), "pausing"),
    },
    "resume": {
        "paused": "queued", "pausing": "running", "queued": "queued",
        "running": "running", "interrupted": "interrupted",
    },
}  # fmt: skip


def reachable(states: set[str]) -> set[str]:
    """Where a job may be by now."""
    found, waiting = set(states), list(states)
    while waiting:
        for state in BY_ITSELF.get(waiting.pop(), set()) - found:
            found.add(state)
            waiting.append(state)
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(
        tmp_path_factory.mktemp("modelled"), SIGMOID_CHECKPOINT_SECONDS="0.05",
        SIGMOID_WORKERS="2", SIGMOID_MAX_QUEUED="1000",
    ) as service:  # fmt: skip
        yield service


class Jobs(RuleBasedStateMachine):
    """Requests and deaths in any order; `possible` is what the model allows each job to be."""

    work: Work
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.possible: dict[str, set[str]] = {}

    @rule(target=jobs, epochs=strategies.sampled_from([1, 200, 20_000]))
    def submit(self, epochs: int) -> str:
        job = self.work.post("any", 0, epochs=epochs)
        self.possible[job] = {"queued"}
        return job

    @rule(job=jobs, verb=strategies.sampled_from(sorted(ASKED)))
    def ask(self, job: str, verb: str) -> None:
        before = reachable(self.possible[job])
        answer = self._post(job, verb)
        if answer.status_code == 409:
            self.possible[job] = before - set(ASKED[verb])
            assert self.possible[job], f"{verb} was refused in one of {before}"
        else:
            assert answer.status_code == 202
            state = answer.json()["state"]
            assert state in {ASKED[verb][old] for old in before if old in ASKED[verb]}
            self.possible[job] = {state}

    def _post(self, job: str, verb: str) -> httpx2.Response:
        return httpx2.post(f"{self.work.service.url}/v1/jobs/{job}/{verb}", timeout=30)

    @rule(job=jobs)
    def look(self, job: str) -> None:
        state = str(self.work.get(job)["state"])
        assert state in reachable(self.possible[job])
        self.possible[job] = {state}

    @rule()
    def kill_a_run(self) -> None:
        send(runs(self.work.service)[:1])

    @invariant()
    def ends_are_for_good(self) -> None:
        for job, states in self.possible.items():
            if states <= ENDED and len(states) == 1:
                assert {self.work.get(job)["state"]} == states

    def teardown(self) -> None:
        for job in self.possible:
            self._post(job, "cancel")
        self.work.wait(list(self.possible), 60)


def test_the_api_does_what_the_model_does(service: Service) -> None:
    Jobs.work = Work(service, seeds=1)
    Jobs.work.prepare()
    chosen = settings(
        max_examples=100 if LONG else 5, stateful_step_count=12, deadline=None, database=None,
        derandomize=not LONG,
    )  # fmt: skip

    run_state_machine_as_test(Jobs, settings=chosen)

    Jobs.work.check()
