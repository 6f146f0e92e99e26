"""A job that takes more than it may fails alone, and says of what."""

import os
import signal
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import Service, running, wait_until
from tests.service.worker.test_recovery import act, checkpoints, finished, job, processes

LONG = {"batch_size": 1, "epochs": 100_000, "early_stopping": None}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(
        tmp_path_factory.mktemp("bounded"),
        SIGMOID_JOB_MEMORY_BYTES=str(64 << 20),
        SIGMOID_OVERRUN_SECONDS="0.5",
        SIGMOID_GRACE_SECONDS="0.5",
        SIGMOID_CHECKPOINT_SECONDS="0.05",
        SIGMOID_JOB_NICENESS="7",
        SIGMOID_WORKERS="1",
        SIGMOID_FAIR_SHARE_TAG="team",
    ) as service:
        yield service


def submit(service: Service, **body: object) -> str:
    dataset = httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30).json()["id"]
    whole = {"dataset": dataset, "target": "species", "model": "m", "seed": 5, **body}
    answer = httpx2.post(f"{service.url}/v1/jobs", json=whole, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def runner(service: Service) -> int:
    """The process of the one job under way: the newest child of the nursery."""
    return max(processes(service, "multiprocessing.forkserver"))


def under_way(service: Service, job_id: str) -> None:
    wait_until(lambda: checkpoints(service, job_id), 60)


def test_a_network_beyond_its_memory_fails_alone(service: Service) -> None:
    greedy = submit(service, network={"layers": [{"units": 2000}, {"units": 2000}]})
    modest = submit(service, training={"epochs": 2})

    error = finished(service, greedy)["error"]

    assert isinstance(error, dict)
    assert error["code"] == "memory_exceeded"
    assert finished(service, modest)["state"] == "succeeded"


def test_a_job_that_comes_to_no_end_fails_by_its_time(service: Service) -> None:
    job_id = submit(service, training={**LONG, "max_seconds": 1.0})
    under_way(service, job_id)
    pid = runner(service)
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 7
    os.kill(pid, signal.SIGSTOP)

    error = finished(service, job_id)["error"]

    assert isinstance(error, dict)
    assert error["code"] == "time_budget"


def test_training_that_uses_up_its_time_succeeds_with_what_it_has(service: Service) -> None:
    end = finished(service, submit(service, training={**LONG, "max_seconds": 0.3}))

    assert end["state"] == "succeeded"
    assert end["result"]["stop_reason"] == "time_budget"  # type: ignore[index]


def test_a_run_that_does_not_stop_in_time_is_paused_where_it_was_last_saved(
    service: Service,
) -> None:
    job_id = submit(service, training=LONG)
    under_way(service, job_id)
    os.kill(runner(service), signal.SIGSTOP)

    act(service, job_id, "pause")

    wait_until(lambda: job(service, job_id)["state"] == "paused")
    assert checkpoints(service, job_id)
    assert act(service, job_id, "cancel").json()["state"] == "cancelled"


def test_cancelling_wins_over_pausing(service: Service) -> None:
    job_id = submit(service, training=LONG)
    under_way(service, job_id)
    os.kill(runner(service), signal.SIGSTOP)

    act(service, job_id, "pause")
    act(service, job_id, "cancel")

    assert act(service, job_id, "pause").status_code == 409
    assert act(service, job_id, "resume").status_code == 409
    assert finished(service, job_id)["state"] == "cancelled"


def test_shares_take_turns_and_waiting_jobs_say_when_they_start(service: Service) -> None:
    first = submit(service, training=LONG, tags={"team": "a"})
    under_way(service, first)
    more = submit(service, training={"epochs": 1}, tags={"team": "a"})
    other = submit(service, training={"epochs": 1}, tags={"team": "b"})

    waiting = job(service, more)
    assert waiting["queue_position"] == 1
    assert waiting["estimated_start_at"] is not None
    act(service, first, "cancel")

    ends = [finished(service, job_id) for job_id in (more, other)]
    assert all(end["state"] == "succeeded" for end in ends)
