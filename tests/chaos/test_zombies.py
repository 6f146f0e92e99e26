"""Several workers on one queue, one of them stopped past its lease: nothing runs to two ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.tree import processes
from tests.chaos.work import LONG, Work
from tests.conftest import Service, running, wait_until

OTHERS = 3 if LONG else 1


@contextmanager
def workers(service: Service, count: int) -> Iterator[list[int]]:
    """More workers on the service's data folder, with its settings: their process ids."""
    environment = {
        **os.environ, **service.environment, "SIGMOID_DATA_DIR": str(service.data_dir),
        "SIGMOID_LOG_LEVEL": "error", "SIGMOID_LEASE_SECONDS": "60",
    }  # fmt: skip
    started = [
        subprocess.Popen([sys.executable, "-m", "service.worker"], env=environment)
        for _ in range(count)
    ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in started:
            process.wait(30)


def test_a_worker_stopped_past_its_lease_writes_nothing_when_it_goes_on(tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(
            running(
                tmp_path / "data",
                SIGMOID_LEASE_SECONDS="1.5",
                SIGMOID_WORKERS="1",
                SIGMOID_CHECKPOINT_SECONDS="0.05",
            )
        )
        work = Work(service, seeds=2)
        work.prepare()
        frozen = processes(service, "service.worker")[0]
        job = work.post("0", 0)
        wait_until(lambda: work.get(job)["state"] == "running")
        os.kill(frozen, signal.SIGSTOP)
        stack.enter_context(workers(service, OTHERS))

        wait_until(lambda: work.get(job)["attempts"] == 2, 60)
        os.kill(frozen, signal.SIGCONT)  # it goes on while the heir still runs
        others = list(range(1, 8))
        for number in others:
            work.submit(number)
        work.wait([found for found, _, _ in work.numbered()], 60)

        history = work.get(job)["history"]
        assert isinstance(history, list)
        actors = [line["actor"] for line in history]
        assert actors[1] == f"worker {frozen}"
        assert actors[2] == "reaper"
        assert f"worker {frozen}" not in actors[2:]
        for found, _, _ in work.numbered():
            told = work.get(found)
            first = told["history"][1]["actor"]  # type: ignore[index]
            assert told["attempts"] == 1 or first == f"worker {frozen}"
        work.judge(1 + len(others))
