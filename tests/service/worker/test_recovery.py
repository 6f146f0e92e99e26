"""Kill -9 anything: what was acknowledged is there, and ends as if nothing had happened."""

import os
import signal
from pathlib import Path

import httpx2

from tests.conftest import Service, running, wait_until

TRAINING = {"epochs": 3000, "batch_size": 8, "early_stopping": None}


def processes(service: Service, module: str) -> list[int]:
    """Pids below the service's supervisor whose command line holds `module`."""
    assert service.process is not None
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [service.process.pid]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            waiting.append(pid)
            if module in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return found


def submit(service: Service) -> str:
    dataset = httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30).json()["id"]
    body = {"dataset": dataset, "target": "species", "model": "m", "seed": 5, "training": TRAINING}
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
