"""The registry with ten models and with ten thousand, cold models, and what a shadow costs."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx2
import numpy as np
from sqlalchemy import insert, select

from benchmarks.jobs import service
from core.files import dump, load
from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.models.registry import advance
from service.models.resolution import Names
from service.tables import Model, ModelTag, ModelVersion

FEW, MANY = 10, 10_000
REPEATS = 300
COLD = 50
COLD_TARGET_MS = 20.0
BINARY = {"Content-Type": "application/octet-stream"}


@dataclass
class Registry:
    """A service with so many models, all with one file but for `base`'s name."""

    client: httpx2.Client
    data: Path
    count: int
    row: dict[str, object]

    @property
    def middle(self) -> str:
        """The name of a model in the middle of the alphabet."""
        return name_of(self.count // 2)

    def predict(self, name: str) -> httpx2.Response:
        """Ask one row."""
        return self.client.post(f"/v1/models/{name}/predict", json={"rows": [self.row]})


def measure() -> list[str]:
    """Lines of Markdown."""
    with opened(FEW) as few, opened(MANY) as many:
        lines = [
            f"| one caller, median of {REPEATS}, ms | {FEW} models | {MANY:,} | ratio |",
            "|---|---:|---:|---:|",
        ]
        for name, call in CALLS.items():
            before, after = alternately(call, few, many)
            lines.append(f"| {name} | {before:.3f} | {after:.3f} | {after / before:.2f} |")
        return [*lines, "", *cold(many), "", *shadows(many)]


@contextmanager
def opened(count: int) -> Iterator[Registry]:
    """A running registry of that size."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with service(SIGMOID_DATA_DIR=str(data)) as (client, _):
            registry = Registry(client, data, count, train(client))
            seed(data, count)
            yield registry


def alternately(
    call: Callable[[Registry, int], object], few: Registry, many: Registry
) -> tuple[float, float]:
    """Median milliseconds of both, measured in turns so that others disturb them alike."""
    took: dict[int, list[float]] = {FEW: [], MANY: []}
    for turn in range(REPEATS):
        for registry in (few, many):
            started = time.perf_counter()
            answer = call(registry, turn)
            took[registry.count].append(1000 * (time.perf_counter() - started))
            if isinstance(answer, httpx2.Response):
                answer.raise_for_status()
    return median(took[FEW]), median(took[MANY])


def asking(path: str) -> Callable[[Registry, int], object]:
    """GET an address; `{middle}` is a name."""
    return lambda registry, _: registry.client.get(path.format(middle=registry.middle))


def another(registry: Registry, turn: int) -> httpx2.Response:
    """Predict with a model that was not the last."""
    return registry.predict(name_of(turn * 7919 % registry.count))


def resolve(registry: Registry, _: int) -> None:
    """Read what a name means."""
    database = Database(f"sqlite:///{registry.data}/sigmoid.db")
    Names(database).find(registry.middle)
    database.close()


CALLS: dict[str, Callable[[Registry, int], object]] = {
    "list a page": asking("/v1/models?limit=20"),
    "list from the middle": asking("/v1/models?limit=20&after={middle}"),
    "find by name": asking("/v1/models?limit=20&name={middle}"),
    "find by tag": asking("/v1/models?limit=20&tag.team=t5"),
    "find by task": asking("/v1/models?limit=20&task=multiclass"),
    "find by words": asking("/v1/models?limit=20&text=birds%20sorts"),
    "find nothing by words (reads all)": asking("/v1/models?limit=20&text=nowhere"),
    "show one": asking("/v1/models/{middle}"),
    "resolve, from the database": resolve,
    "predict, always the same model": lambda registry, _: registry.predict(registry.middle),
    "predict, another model every time, not asked before": another,
    "predict, another model every time, asked before": another,
}


def train(client: httpx2.Client) -> dict[str, object]:
    """Publish `base`; returns a row to ask it for."""
    dataset = client.post("/v1/datasets/samples/penguins").json()["id"]
    body = {"dataset": dataset, "target": "species", "model": "base", "seed": 1}
    client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).raise_for_status()
    schema = client.get("/v1/models/base/versions/1/schema").json()
    return dict(schema["examples"][0])


def name_of(number: int) -> str:
    return f"m-{number:05}"


def seed(data: Path, count: int) -> None:
    """Bring the registry to `count` models besides `base`, all with its file."""
    database = Database(f"sqlite:///{data}/sigmoid.db")
    now = datetime.now(UTC)
    with database.write() as session:
        generation = advance(session)
        base = (
            session.execute(select(ModelVersion.__table__).where(ModelVersion.model == "base"))
            .mappings()
            .one()
        )
        there = set(session.scalars(select(Model.name)))
        names = [name for name in map(name_of, range(count)) if name not in there]
        fields = {"description": "Sorts birds.", "task": "multiclass", "latest_version": 1,
                  "last_number": 1, "generation": generation, "created_at": now}  # fmt: skip
        session.execute(insert(Model), [{**fields, "name": name} for name in names])
        version = {**base, "job_id": None, "created_at": now}
        session.execute(insert(ModelVersion), [{**version, "model": name} for name in names])
        tags = [{"model": name, "key": "team", "value": f"t{at * 10 // count}"}
                for at, name in enumerate(names)]  # fmt: skip
        session.execute(insert(ModelTag), tags)
    bell = Doorbell(data / "run")
    bell.ring("models")
    bell.close()
    database.close()


def timed(call: Callable[[], object], times: int) -> list[float]:
    """Seconds of each call."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        answer = call()
        took.append(time.perf_counter() - started)
        if isinstance(answer, httpx2.Response):
            answer.raise_for_status()
    return took


def cold(registry: Registry) -> list[str]:
    """The first answer of models that are on the disk only."""
    client = registry.client
    (file,) = (registry.data / "models").glob("*.safetensors")
    model = load(file.read_bytes())
    for number in range(COLD):
        model.theta[0] = np.float32(number)
        path = f"/v1/models/cold-{number}/import"
        client.post(path, content=dump(model), headers=BINARY).raise_for_status()
    turn = iter(range(COLD))
    took = timed(lambda: registry.predict(f"cold-{next(turn)}"), COLD)
    middle, most, longest = (1000 * sorted(took)[at] for at in (COLD // 2, COLD * 9 // 10, -1))
    return [
        f"A cold model's first answer, {COLD} models: median {middle:.1f} ms, nine of ten within "
        f"{most:.1f} ms, longest {longest:.1f} ms (target {COLD_TARGET_MS:.0f} ms"
        f"{'' if most <= COLD_TARGET_MS else ', missed'})."
    ]


def shadows(registry: Registry) -> list[str]:
    """What one shadow costs the calls that are answered."""
    client, times = registry.client, 3000
    plans = {
        "split alone": {"split": [{"version": 1, "percent": 100}]},
        "with a shadow": {"split": [{"version": 1, "percent": 100}], "shadows": [2]},
    }
    other = next((registry.data / "models").glob("*.safetensors")).read_bytes()
    client.post("/v1/models/base/import", content=other, headers=BINARY).raise_for_status()
    lines = ["| one caller, one row | p10 ms | median ms | p99 ms |", "|---|---:|---:|---:|"]
    for name, plan in plans.items():
        client.put("/v1/models/base/traffic", json=plan).raise_for_status()
        timed(lambda: registry.predict("base"), 200)
        took = sorted(timed(lambda: registry.predict("base"), times))
        shown = (f"{1000 * took[times * part // 100]:.3f}" for part in (10, 50, 99))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return lines
