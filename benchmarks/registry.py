"""The registry with ten models and with ten thousand, cold models, and what a shadow costs."""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

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


def measure() -> list[str]:
    """Lines of Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with service(SIGMOID_DATA_DIR=str(data)) as (client, _):
            row = train(client)
            few = figures(client, data, row, FEW)
            many = figures(client, data, row, MANY)
            lines = [
                f"| one caller, median of {REPEATS} | {FEW} models, ms | {MANY:,}, ms | ratio |",
                "|---|---:|---:|---:|",
            ]
            for name, before in few.items():
                after = many[name]
                lines.append(f"| {name} | {before:.3f} | {after:.3f} | {after / before:.2f} |")
            return [*lines, "", *cold(client, data, row), "", *shadows(client, data, row)]


def train(client: httpx2.Client) -> dict[str, object]:
    """Publish `base`: a row to ask it for."""
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


def figures(client: httpx2.Client, data: Path, row: object, count: int) -> dict[str, float]:
    """Medians in milliseconds, with that many models."""
    seed(data, count)
    middle = name_of(count // 2)
    asked = {
        "list a page": "/v1/models?limit=20",
        "list from the middle": f"/v1/models?limit=20&after={middle}",
        "find by name": f"/v1/models?limit=20&name={middle[:4]}",
        "find by tag": "/v1/models?limit=20&tag.team=t5",
        "find by task": "/v1/models?limit=20&task=multiclass",
        "find by words": "/v1/models?limit=20&text=birds%20sorts",
        "find nothing by words (reads all)": "/v1/models?limit=20&text=nowhere",
        "show one": f"/v1/models/{middle}",
    }
    found = {name: median(lambda path=path: client.get(path)) for name, path in asked.items()}
    ask = {"rows": [row]}
    path = f"/v1/models/{middle}/predict"
    found["predict, always the same model"] = median(lambda: client.post(path, json=ask))
    for seen in ("not asked before", "asked before"):
        turn = iter(range(REPEATS))
        found[f"predict, another model every time, {seen}"] = median(
            lambda turn=turn: client.post(
                f"/v1/models/{name_of(next(turn) * 7919 % count)}/predict", json=ask
            )
        )
    database = Database(f"sqlite:///{data}/sigmoid.db")
    names = Names(database)
    names.refresh()
    found["resolve, first time"] = median(lambda: Names(database).find(middle))
    names.find(middle)
    found["resolve, from memory"] = median(
        lambda: [names.at_hand(middle) for _ in range(1000)]
    ) / 1000  # fmt: skip
    database.close()
    return found


def median(call: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    return 1000 * statistics.median(timed(call, REPEATS))


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


def cold(client: httpx2.Client, data: Path, row: object) -> list[str]:
    """The first answer of models that are on the disk only."""
    (file,) = (data / "models").glob("*.safetensors")
    model = load(file.read_bytes())
    for number in range(COLD):
        model.theta[0] = np.float32(number)
        path = f"/v1/models/cold-{number}/import"
        client.post(path, content=dump(model), headers=BINARY).raise_for_status()
    turn = iter(range(COLD))
    ask = {"rows": [row]}
    took = timed(lambda: client.post(f"/v1/models/cold-{next(turn)}/predict", json=ask), COLD)
    middle, most, longest = (1000 * sorted(took)[at] for at in (COLD // 2, COLD * 9 // 10, -1))
    return [
        f"A cold model's first answer, {COLD} models: median {middle:.1f} ms, nine of ten within "
        f"{most:.1f} ms, longest {longest:.1f} ms (target {COLD_TARGET_MS:.0f} ms"
        f"{'' if most <= COLD_TARGET_MS else ', missed'})."
    ]


def shadows(client: httpx2.Client, data: Path, row: object) -> list[str]:
    """What one shadow costs the calls that are answered."""
    path, ask, times = "/v1/models/base/predict", {"rows": [row]}, 3000
    plans = {
        "split alone": {"split": [{"version": 1, "percent": 100}]},
        "with a shadow": {"split": [{"version": 1, "percent": 100}], "shadows": [2]},
    }
    other = next((data / "models").glob("*.safetensors")).read_bytes()
    client.post("/v1/models/base/import", content=other, headers=BINARY).raise_for_status()
    lines = ["| one caller, one row | median ms | p99 ms |", "|---|---:|---:|"]
    for name, plan in plans.items():
        client.put("/v1/models/base/traffic", json=plan).raise_for_status()
        timed(lambda: client.post(path, json=ask), 200)
        took = sorted(timed(lambda: client.post(path, json=ask), times))
        lines.append(
            f"| {name} | {1000 * took[times // 2]:.3f} | {1000 * took[times * 99 // 100]:.3f} |"
        )
    return lines
