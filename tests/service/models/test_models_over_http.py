"""Finding, describing and deleting models."""

import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from service.kit.database import Database
from service.models import removal, search
from service.models.registry import keep
from tests.service.models.conftest import add_version
from tests.service.predictions.test_predictions_over_http import ROW


def train(client: httpx2.Client, dataset: str, name: str, seed: int = 1) -> dict[str, object]:
    """Publish a version quickly."""
    body = {"dataset": dataset, "target": "species", "model": name, "seed": seed,
            "training": {"epochs": 1}}  # fmt: skip
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text
    return dict(answer.json()["result"])


def found(client: httpx2.Client, **query: str) -> list[str]:
    return [entry["name"] for entry in client.get("/v1/models", params=query).json()["data"]]


def test_models_are_found_by_name_tag_task_and_text(client: httpx2.Client, penguins: str) -> None:
    for name in ("find-a", "find-b", "other-c"):
        train(client, penguins, name)
    patch = {"description": "Sorts Birds 100% well", "tags": {"team": "south", "stage": "live"}}
    assert client.patch("/v1/models/find-a", json=patch).status_code == 200
    client.patch("/v1/models/other-c", json={"tags": {"team": "south"}})

    assert found(client, name="find-") == ["find-b", "find-a"]
    assert found(client, **{"tag.team": "south"}) == ["other-c", "find-a"]
    assert found(client, **{"tag.team": "south", "tag.stage": "live"}) == ["find-a"]
    assert found(client, text="birds 100%") == ["find-a"]
    assert found(client, text="birds 100_") == []
    assert found(client, name="find-", task="regression") == []
    assert found(client, name="find-", task="multiclass") == ["find-b", "find-a"]
    page = client.get("/v1/models", params={"name": "find-", "limit": 1})
    assert page.json()["has_more"]
    assert [entry["name"] for entry in client.get(page.links["next"]["url"]).json()["data"]] == [
        "find-a"
    ]


def test_a_patch_changes_what_it_names(client: httpx2.Client, penguins: str) -> None:
    train(client, penguins, "patched")
    path = "/v1/models/patched"
    client.patch(path, json={"description": "one\ntwo", "tags": {"a": "1", "b": "2"}})

    answer = client.patch(path, json={"tags": {"a": None, "c": "3"}})

    assert answer.json()["description"] == "one\ntwo"
    assert answer.json()["tags"] == {"b": "2", "c": "3"}
    held = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": held}).status_code == 304
    client.patch(path, json={"description": None})
    late = client.patch(path, json={"description": "late"}, headers={"If-Match": held})
    assert late.status_code == 412
    assert client.get(path).json()["description"] == ""


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"tags": {"": "x"}}, "/tags//[key]"),
        ({"tags": {"k": 3}}, "/tags/k"),
        ({"descripton": "x"}, "/descripton"),
        ({"description": "bell \x07"}, "/description"),
        ({"tags": {f"k{i}": "v" for i in range(51)}}, "/tags"),
    ],
)
def test_a_bad_patch_names_the_field(
    client: httpx2.Client, model: object, patch: dict[str, object], pointer: str
) -> None:
    answer = client.patch("/v1/models/penguins", json=patch)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_version_in_use_is_not_deleted(client: httpx2.Client, penguins: str) -> None:
    for seed in (1, 2):
        train(client, penguins, "kept", seed)
    base = "/v1/models/kept"
    client.put(f"{base}/aliases/champion", json={"version": 1})
    assert client.delete(f"{base}/versions/1").status_code == 409
    assert client.delete(base).status_code == 409
    client.delete(f"{base}/aliases/champion")
    client.put(f"{base}/traffic", json={"shadows": [1]})
    assert client.delete(f"{base}/versions/1").status_code == 409
    client.delete(f"{base}/traffic")

    assert client.delete(f"{base}/versions/1").status_code == 204

    assert client.delete(f"{base}/versions/1").status_code == 404
    assert client.post(f"{base}/versions/1/predict", json={"rows": [ROW]}).status_code == 404
    assert client.delete(f"{base}/versions/2").status_code == 409, "the only version"
    assert client.delete(base).status_code == 204
    assert client.post(f"{base}/predict", json={"rows": [ROW]}).status_code == 404


def test_numbers_of_deleted_versions_are_not_given_again(
    client: httpx2.Client, penguins: str
) -> None:
    for seed in (1, 2):
        train(client, penguins, "counting", seed)

    client.delete("/v1/models/counting/versions/2")

    assert client.post("/v1/models/counting/predict", json={"rows": [ROW]}).json()["version"] == 1
    assert train(client, penguins, "counting", 3)["version"] == 3


def test_versions_are_paged(client: httpx2.Client, penguins: str) -> None:
    for seed in (1, 2, 3):
        train(client, penguins, "paged", seed)

    first = client.get("/v1/models/paged/versions", params={"limit": 2})

    assert [entry["version"] for entry in first.json()["data"]] == [3, 2]
    assert [
        entry["version"] for entry in client.get(first.links["next"]["url"]).json()["data"]
    ] == [1]


def test_a_file_goes_with_its_last_version_and_not_before(
    tmp_path: Path, database: Database
) -> None:
    file = keep(tmp_path, b"a model")
    for name in ("one", "two"):
        add_version(database, name, file.sha256)

    for name, is_left in (("one", True), ("two", False)):
        with database.write() as session:
            files = removal.remove_model(session, name)
        removal.discard(database, tmp_path, files)
        assert file.path.exists() is is_left


def test_files_that_no_version_names_are_swept(tmp_path: Path, database: Database) -> None:
    named, orphan, young = (keep(tmp_path, content) for content in (b"a", b"b", b"c"))
    add_version(database, "m", named.sha256)
    part = tmp_path / f".{orphan.sha256}.1.part"
    part.touch()
    for path in (named.path, orphan.path, part):
        os.utime(path, (0, 0))

    removal.sweep(database, tmp_path)

    assert set(tmp_path.glob("*.safetensors")) == {named.path, young.path}
    assert not part.exists()


@pytest.mark.parametrize(
    "filters", [{}, {"name": "m"}, {"task": "binary"}, {"tags": {"a": "b"}},
                {"name": "m", "tags": {"a": "b", "c": "d"}}]
)  # fmt: skip
def test_a_page_is_read_in_the_order_of_an_index(
    database: Database, filters: dict[str, Any]
) -> None:
    found, key = search.query(**filters)
    page = found.where(key < "n").order_by(key.desc()).limit(21)
    statement = page.compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as session:
        plan = session.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()

    assert plan
    assert all(step.detail.startswith("SEARCH") for step in plan), plan
