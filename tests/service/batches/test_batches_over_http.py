"""A model over a whole data set: the file has the predictions of its rows, whatever dies."""

import contextlib
import csv
import hashlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Service, running, wait_until


def submit(client: httpx2.Client, **body: Any) -> Any:
    answer = client.post("/v1/models/penguins/batch-predictions", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/batch-predictions/{answer.json()['id']}"
    return answer.json()


def ended(client: httpx2.Client, batch_id: str) -> Any:
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(client.get(f"/v1/batch-predictions/{batch_id}").json())
        return found["state"] not in ("queued", "running")

    wait_until(is_over, 60)
    return found


def result(client: httpx2.Client, batch_id: str) -> bytes:
    answer = client.get(f"/v1/batch-predictions/{batch_id}/result")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_the_file_has_the_prediction_of_every_row(
    client: httpx2.Client, model: object, penguins: str
) -> None:
    rows = client.get(f"/v1/datasets/{penguins}/rows", params={"limit": 100}).json()["data"]
    features = client.get("/v1/models/penguins/versions/1").json()["signature"]["features"]
    wanted = [[row[feature["name"]] for feature in features] for row in rows]
    truth = client.post("/v1/models/penguins/versions/1/predict", json={"rows": wanted}).json()

    batches = {
        form: submit(client, dataset=penguins, version="1", format=form)
        for form in ("csv", "ndjson", "parquet", "arrow")
    }
    files = {}
    for form, batch in batches.items():
        end = ended(client, batch["id"])
        assert end["state"] == "succeeded", end
        assert end["done"] == end["rows"] == end["result"]["rows"] == 344
        files[form] = result(client, batch["id"])
        assert hashlib.sha256(files[form]).hexdigest() == end["result"]["sha256"]
        assert len(files[form]) == end["result"]["bytes"]

    found = list(csv.DictReader(io.StringIO(files["csv"].decode())))
    assert len(found) == 344
    for row, one in zip(found, truth["predictions"], strict=False):
        assert row["label"] == one["label"]
        for name, chance in one["probabilities"].items():
            assert float(row[f"probability_{name}"]) == pytest.approx(chance, abs=1e-5)
    labels = [row["label"] for row in found]
    assert pq.read_table(pa.BufferReader(files["parquet"]))["label"].to_pylist() == labels
    assert pa.ipc.open_stream(files["arrow"]).read_all()["label"].to_pylist() == labels
    assert files["ndjson"].count(b"\n") == 344


def test_a_batch_of_equal_things_has_equal_bytes(
    client: httpx2.Client, model: object, penguins: str
) -> None:
    ends = [ended(client, submit(client, dataset=penguins, version="1")["id"]) for _ in range(2)]

    assert ends[0]["result"] == ends[1]["result"]
    listed = client.get("/v1/batch-predictions", params={"model": "penguins", "limit": 2}).json()
    assert [one["id"] for one in listed["data"]] == [ends[1]["id"], ends[0]["id"]]


def test_a_table_without_the_columns_fails_and_says_which(
    client: httpx2.Client, model: object
) -> None:
    answer = client.post("/v1/datasets/generate", json={"kind": "linear", "rows": 30, "seed": 9})
    batch = submit(client, dataset=answer.json()["id"])

    end = ended(client, batch["id"])

    assert end["state"] == "failed"
    assert end["error"]["code"] == "missing_column"
    assert end["error"]["column"] == "island"
    assert client.get(f"/v1/batch-predictions/{batch['id']}/result").status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dataset": "ds_none"}, 404),
        ({"dataset": "ds_sample_penguins", "version": "nobody"}, 404),
        ({"dataset": "ds_sample_penguins", "format": "xlsx"}, 422),
        ({"dataset": "ds_sample_penguins", "threshold": 0.5}, 422),  # three classes
        ({"dataset": "ds_sample_penguins", "treshold": 0.5}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_run_is_refused_at_once(
    client: httpx2.Client, model: object, penguins: str, body: dict[str, Any], status: int
) -> None:
    answer = client.post("/v1/models/penguins/batch-predictions", json=body)
    assert answer.status_code == status, answer.text


def test_an_ended_batch_is_deleted_with_its_file(
    client: httpx2.Client, model: object, penguins: str
) -> None:
    batch = submit(client, dataset=penguins)
    ended(client, batch["id"])

    assert client.post(f"/v1/batch-predictions/{batch['id']}/cancel").status_code == 409
    assert client.delete(f"/v1/batch-predictions/{batch['id']}").status_code == 204
    assert client.get(f"/v1/batch-predictions/{batch['id']}").status_code == 404
    assert client.get(f"/v1/batch-predictions/{batch['id']}/result").status_code == 404


ROWS = 400_000  # a second or so of work, to be interrupted


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the model `line` and a long table to predict."""
    folder = tmp_path_factory.mktemp("batches")
    with running(folder, SIGMOID_LEASE_SECONDS="1") as service:
        with httpx2.Client(base_url=service.url, timeout=90) as client:
            small = client.post(
                "/v1/datasets/generate", json={"kind": "moons", "rows": 200, "seed": 1}
            ).json()
            name = small["columns"][-1]["name"]
            job = {"dataset": small["id"], "target": name, "model": "penguins",
                   "training": {"epochs": 2}}  # fmt: skip
            answer = client.post("/v1/jobs", json=job, headers={"Prefer": "wait=60"})
            assert answer.json()["state"] == "succeeded", answer.text
            columns = [column["name"] for column in small["columns"][:-1]]
            body = ",".join(columns) + "\n" + ("0.25,0.5\n-1.5,0.125\n" * (ROWS // 2))
            answer = client.post(
                "/v1/datasets", content=body.encode(), headers={"Content-Type": "text/csv"}
            )
            (folder / "long").write_text(answer.json()["id"])
        yield service


def child_of(service: Service) -> int | None:
    """The process of the batch that runs."""
    assert service.process is not None
    waiting = [service.process.pid]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            if b"service.batches.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
            children = Path(f"/proc/{pid}/task").glob("*/children")
            waiting += [int(child) for path in children for child in path.read_text().split()]
    return None


def begun(service: Service, client: httpx2.Client) -> tuple[str, int]:
    """A long batch, stopped in the middle of its work."""
    batch = submit(client, dataset=(service.data_dir / "long").read_text(), format="ndjson")
    found: list[int] = []

    def runs() -> bool:
        pid = child_of(service)
        if pid is not None:
            with contextlib.suppress(OSError):
                part = service.data_dir / "tmp" / f"{batch['id']}.1.part"
                if part.exists() and part.stat().st_size > 0:
                    os.kill(pid, signal.SIGSTOP)
                    found.append(pid)
        return bool(found)

    wait_until(runs, 60)
    return str(batch["id"]), found[0]


@pytest.fixture(scope="module")
def undisturbed(own: Service) -> str:
    with httpx2.Client(base_url=own.url, timeout=90) as client:
        batch = submit(client, dataset=(own.data_dir / "long").read_text(), format="ndjson")
        return str(ended(client, batch["id"])["result"]["sha256"])


def test_a_batch_whose_process_is_killed_comes_to_the_same_bytes(
    own: Service, undisturbed: str
) -> None:
    with httpx2.Client(base_url=own.url, timeout=90) as client:
        batch_id, pid = begun(own, client)
        assert client.get(f"/v1/batch-predictions/{batch_id}").json()["state"] == "running"
        os.kill(pid, signal.SIGKILL)

        end = ended(client, batch_id)

    assert end["state"] == "succeeded"
    assert end["result"]["sha256"] == undisturbed


def test_a_cancelled_batch_stops_and_leaves_nothing(own: Service) -> None:
    with httpx2.Client(base_url=own.url, timeout=90) as client:
        batch_id, pid = begun(own, client)
        dataset = (own.data_dir / "long").read_text()
        assert client.delete(f"/v1/datasets/{dataset}").status_code == 409
        assert client.delete(f"/v1/batch-predictions/{batch_id}").status_code == 409

        for _ in range(2):
            answer = client.post(f"/v1/batch-predictions/{batch_id}/cancel")
            assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")

        wait_until(lambda: not Path(f"/proc/{pid}").exists(), 10)
        wait_until(lambda: not list((own.data_dir / "tmp").iterdir()), 10)
        assert client.get(f"/v1/batch-predictions/{batch_id}/result").status_code == 409


def test_a_batch_whose_worker_is_killed_is_taken_up_again(own: Service, undisturbed: str) -> None:
    assert own.process is not None
    parent = own.process.pid
    with httpx2.Client(base_url=own.url, timeout=90) as client:
        batch_id, _ = begun(own, client)
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        worker = next(
            int(child) for child in children
            if b"service.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
        )  # fmt: skip
        os.kill(worker, signal.SIGKILL)

        end = ended(client, batch_id)

    assert end["state"] == "succeeded"
    assert end["result"]["sha256"] == undisturbed


def test_a_batch_outlives_a_restart_of_the_service(own: Service, undisturbed: str) -> None:
    with httpx2.Client(base_url=own.url, timeout=90) as client:
        batch_id, pid = begun(own, client)
        os.kill(pid, signal.SIGCONT)
        assert own.stop() == 0
        own.start()

        end = ended(client, batch_id)

    assert end["state"] == "succeeded"
    assert end["result"]["sha256"] == undisturbed
