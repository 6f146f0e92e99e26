"""Jobs to be disturbed, their undisturbed twins, and a judge of what is left."""

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, field

import httpx2
from sqlalchemy import select

from service.kit.database import Database
from service.operations.invariants import invariants
from service.tables import Job, ModelVersion
from tests.conftest import Service, wait_until

LONG = os.environ.get("SIGMOID_CHAOS") == "long"
ENDS = ("succeeded", "failed", "cancelled")
# About half a second of training, of which a run saves every twentieth.
TRAINING = {"batch_size": 1, "epochs": 700, "early_stopping": None}


@dataclass
class Work:
    """Jobs numbered by a tag, so that a submission whose answer was lost can be told."""

    service: Service
    seeds: int = 3
    twins: dict[int, str] = field(default_factory=dict)
    dataset: str = ""

    def prepare(self) -> None:
        """Train one job of each seed with nothing to disturb it."""
        answer = httpx2.post(f"{self.service.url}/v1/datasets/samples/penguins", timeout=30)
        self.dataset = answer.json()["id"]
        for seed in range(self.seeds):
            job = self.post(f"twin-{seed}", seed)
            self.wait([job], 100)  # the first start of new sources compiles the kernels
            self.twins[seed] = self.hashes()[job]

    def post(self, number: str, seed: int, **training: object) -> str:
        """Submit; returns the job's id. Raises when no answer comes."""
        body = {
            "dataset": self.dataset, "target": "species", "model": "m", "seed": seed,
            "training": {**TRAINING, **training}, "tags": {"number": number},
        }  # fmt: skip
        answer = httpx2.post(f"{self.service.url}/v1/jobs", json=body, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def submit(self, number: int) -> None:
        """Submit the job of this number once, whatever dies: look before trying again."""

        def done() -> bool:
            with contextlib.suppress(httpx2.HTTPError):
                url = f"{self.service.url}/v1/jobs?tag.number={number}"
                if not httpx2.get(url, timeout=10).raise_for_status().json()["data"]:
                    self.post(str(number), number % self.seeds)
                return True
            return False

        wait_until(done, 60)

    def get(self, job_id: str) -> dict[str, object]:
        """The job over HTTP."""
        return dict(httpx2.get(f"{self.service.url}/v1/jobs/{job_id}", timeout=30).json())

    def wait(self, jobs: list[str], seconds: float) -> None:
        """Return when all have ended."""
        for job in jobs:
            wait_until(lambda: self.get(job)["state"] in ENDS, seconds)  # noqa: B023

    def database(self) -> Database:
        """The service's own."""
        return Database(f"sqlite:///{self.service.data_dir / 'sigmoid.db'}")

    def hashes(self) -> dict[str, str]:
        """The model file of every job that has a version."""
        database = self.database()
        with database.read() as session:
            found = session.execute(select(ModelVersion.job_id, ModelVersion.sha256))
            hashes = {row.job_id: row.sha256 for row in found}
        database.close()
        return hashes

    def numbered(self) -> list[tuple[str, str, int]]:
        """Id, state and number of the jobs that `submit` made."""
        database = self.database()
        with database.read() as session:
            rows = [(job.id, job.state, job.tags["number"]) for job in session.scalars(select(Job))]
        database.close()
        return [(job, state, int(number)) for job, state, number in rows if number.isdigit()]

    def judge(self, count: int) -> None:
        """None lost, none doubled, none other than its twin, and nothing broken."""
        jobs, hashes = self.numbered(), self.hashes()
        assert Counter(number for _, _, number in jobs) == Counter(range(count))
        assert {state for _, state, _ in jobs} == {"succeeded"}
        assert [hashes[job] for job, _, _ in jobs] == [
            self.twins[number % self.seeds] for _, _, number in jobs
        ]
        self.check()

    def check(self) -> None:
        """What must hold of the data folder holds."""
        database = self.database()
        assert invariants(database, self.service.data_dir) == []
        database.close()
