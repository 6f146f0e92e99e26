"""Kill -9 anything: what was acknowledged is there, and ends as if nothing had happened."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.chaos.tree import processes
from tests.conftest import Service, running, wait_until

EPOCHS = 3000
TRAINING = {"batch_size": 8, "early_stopping": None}
SLOW = {"batch_size": 1, "epochs": 4000}  # some seconds


def submit(service: Service, **training: int) -> str:
    dataset = httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30).json()["id"]
    body = {"dataset": dataset, "target": "species", "model": "m", "seed": 5,
            "training": {"epochs": EPOCHS, **TRAINING, **training}}  # fmt: skip
    answer = httpx2.post(f"{service.url}/v1/jobs", json=body, timeout=30)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def job(service: Service, job_id: str) -> dict[str, object]:
    return dict(httpx2.get(f"{service.url}/v1/jobs/{job_id}", timeout=30).json())


def finished(service: Service, job_id: str) -> dict[str, object]:
    ends = ("succeeded", "failed", "cancelled")
    wait_until(lambda: job(service, job_id)["state"] in ends, 90)
    return job(service, job_id)


def newest(service: Service) -> dict[str, object]:
    return dict(httpx2.get(f"{service.url}/v1/models/m", timeout=30).json()["versions"][0])


def test_jobs_survive_kills_of_worker_api_and_all_with_the_same_bytes(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        undisturbed = finished(service, submit(service))
        assert undisturbed["state"] == "succeeded"
        expected = newest(service)["sha256"]

        for victim in ("service.worker", "service.server"):
            job_id = submit(service)
            wait_until(lambda: job(service, job_id)["progress"]["epoch"] > 0, 60)  # type: ignore[index]  # noqa: B023
            os.kill(processes(service, victim)[0], signal.SIGKILL)
            wait_until(service.is_ready)
            assert finished(service, job_id)["state"] == "succeeded"
            assert newest(service)["sha256"] == expected

        job_id = submit(service)
        everyone = processes(service, "service")
        service.stop(signal.SIGKILL)
        for pid in everyone:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        service.start()
        assert finished(service, job_id)["state"] == "succeeded"
        assert newest(service)["sha256"] == expected


def test_sigterm_stops_all_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        job_id = submit(service)
        everyone = processes(service, "service")

        assert service.stop() == 0

        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everyone))
        service.start()
        assert finished(service, job_id)["state"] == "succeeded"


def kill_runs(service: Service) -> None:
    """Kill every process that runs, or is about to run, a job."""
    _, *children = processes(service, "multiprocessing.forkserver")
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def act(service: Service, job_id: str, verb: str) -> httpx2.Response:
    return httpx2.post(f"{service.url}/v1/jobs/{job_id}/{verb}", timeout=30)


def checkpoints(service: Service, job_id: str) -> list[dict[str, float]]:
    answer = httpx2.get(f"{service.url}/v1/jobs/{job_id}/checkpoints", timeout=30)
    return list(answer.json()["data"])


def reached(service: Service, job_id: str) -> float:
    """The epoch of the newest checkpoint."""
    return max((kept["epoch"] for kept in checkpoints(service, job_id)), default=0.0)


def states(found: dict[str, object]) -> list[str]:
    history = found["history"]
    assert isinstance(history, list)
    return [line["state"] for line in history]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service that saves often, and the hash to which its slow jobs come undisturbed."""
    folder = tmp_path_factory.mktemp("slow")
    with running(folder, SIGMOID_CHECKPOINT_SECONDS="0.05") as service:
        finished(service, submit(service, **SLOW))
        yield service, str(newest(service)["sha256"])


def test_a_job_that_gets_on_survives_any_number_of_deaths(slow: tuple[Service, str]) -> None:
    service, expected = slow
    job_id, before = submit(service, **SLOW), 0.0

    for _ in range(4):  # more often than one may die that does not get on
        wait_until(lambda: reached(service, job_id) > before, 60)  # noqa: B023
        before = reached(service, job_id)
        assert len(checkpoints(service, job_id)) <= 4
        kill_runs(service)

    end = finished(service, job_id)
    assert end["state"] == "succeeded"
    assert states(end) == ["queued", *["running", "interrupted"] * 4, "running", "succeeded"]
    assert newest(service)["sha256"] == expected


def test_a_paused_job_stands_still_and_goes_on_to_the_same_bytes(
    slow: tuple[Service, str],
) -> None:
    service, expected = slow
    job_id = submit(service, **SLOW)
    wait_until(lambda: job(service, job_id)["progress"]["epoch"] > 0, 60)  # type: ignore[index]

    assert [act(service, job_id, "pause").status_code for _ in range(2)] == [202, 202]
    wait_until(lambda: job(service, job_id)["state"] == "paused")
    kept = checkpoints(service, job_id)
    assert kept[-1]["last"]
    assert [act(service, job_id, "resume").status_code for _ in range(2)] == [202, 202]

    end = finished(service, job_id)
    assert states(end) == [
        "queued", "running", "pausing", "paused", "queued", "running", "succeeded"
    ]  # fmt: skip
    assert end["result"]["training_seconds"] < sum(end["timings"].values())  # type: ignore[index, attr-defined]
    assert newest(service)["sha256"] == expected
    assert [act(service, job_id, verb).status_code for verb in ("pause", "resume")] == [409] * 2


def test_a_job_that_only_kills_its_process_is_poison_and_says_what_is_known(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "data", SIGMOID_CHECKPOINT_SECONDS="600") as service:
        job_id = submit(service, **{**SLOW, "epochs": 100_000})
        for attempt in (1, 2, 3):
            wait_until(lambda: job(service, job_id)["attempts"] == attempt, 60)  # noqa: B023
            kill_runs(service)

        end = finished(service, job_id)
        assert end["state"] == "failed"
        assert end["error"]["code"] == "poison"  # type: ignore[index]
        assert "SIGKILL" in end["error"]["message"]  # type: ignore[index]
