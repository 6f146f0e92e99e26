"""kill -9 at random moments, of anything: no job is lost, doubled or other than its twin."""

import random
import threading
from pathlib import Path

import pytest

from tests.chaos.tree import kill_everything, processes, runs, send
from tests.chaos.work import LONG, Work
from tests.conftest import Service, running, wait_until

JOBS, KILLS = (100, 300) if LONG else (6, 10)


def kill_something(service: Service, random_: random.Random, index: int) -> None:
    """A run most of all, for it is the most there are; sometimes a part, seldom everything."""
    if index % 60 == 5:
        kill_everything(service)
        service.start()
        return
    victims = {
        "run": runs,
        "worker": lambda service: processes(service, "service.worker"),
        "api": lambda service: processes(service, "service.server"),
        "nursery": lambda service: processes(service, "multiprocessing.forkserver")[:1],
    }
    kind = random_.choices(list(victims), [5, 3, 2, 1])[0]
    send(victims[kind](service)[:1])


@pytest.mark.timeout(3600 if LONG else 240)
def test_random_kills_lose_double_and_change_nothing(tmp_path: Path) -> None:
    random_ = random.Random(7)
    with running(
        tmp_path / "data", SIGMOID_CHECKPOINT_SECONDS="0.05", SIGMOID_LEASE_SECONDS="3",
        SIGMOID_MAX_CRASHES="100", SIGMOID_MAX_QUEUED="1000", SIGMOID_WORKERS="2",
    ) as service:  # fmt: skip
        work = Work(service)
        work.prepare()
        submitting = threading.Thread(target=lambda: [work.submit(n) for n in range(JOBS)])
        submitting.start()
        moment = threading.Event()
        for index in range(KILLS):
            moment.wait(random_.uniform(0.0, 0.4))  # a random moment is the point
            kill_something(service, random_, index)
        submitting.join(120)
        wait_until(service.is_ready, 60)
        work.wait([job for job, _, _ in work.numbered()], 300)
        work.judge(JOBS)
        assert service.stop() == 0
