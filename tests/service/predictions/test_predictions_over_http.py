"""Predictions as callers get them."""

import re

import httpx2
import pytest

ROW = {
    "island": "Biscoe",
    "bill_length_mm": 46.1,
    "bill_depth_mm": 13.2,
    "flipper_length_mm": 211,
    "body_mass_g": 4500,
    "sex": "female",
    "year": 2007,
}
PATH = "/v1/models/penguins/predict"


def test_records_and_arrays_give_the_same_answer(client: httpx2.Client, model: object) -> None:
    signature = client.get("/v1/models/penguins/versions/1").json()["signature"]
    array = [ROW[feature["name"]] for feature in signature["features"]]

    by_name = client.post(PATH, json={"rows": [ROW]}).json()
    in_order = client.post(PATH, json={"rows": [array]}).json()

    assert by_name["predictions"] == in_order["predictions"]
    assert by_name["predictions"][0]["label"] == "Gentoo"
    assert sum(by_name["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    assert set(by_name["predictions"][0]["probabilities"]) == {"Adelie", "Chinstrap", "Gentoo"}


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"bill_length_mm": "46"}, "/rows/1/bill_length_mm", "Expected a number, .* got text"),
        ({"bill_length_mm": True}, "/rows/1/bill_length_mm", "got a boolean"),
        ({"island": 3}, "/rows/1/island", "Expected text, .* got a number"),
        ({"wings": 2}, "/rows/1/wings", "no such column"),
        ({"bill_length_mm": 1e308}, "/rows/1/bill_length_mm", "finite number"),
        ({"bill_length_mm": [1]}, "/rows/1/bill_length_mm", "got an array"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(
    client: httpx2.Client, model: object, change: dict[str, object], pointer: str, words: str
) -> None:
    answer = client.post(PATH, json={"rows": [ROW, {**ROW, **change}]})

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/rows-invalid"
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert re.search(words, answer.json()["errors"][0]["detail"])


def test_a_missing_column_is_named(client: httpx2.Client, model: object) -> None:
    row = {name: value for name, value in ROW.items() if name != "sex"}

    answer = client.post(PATH, json={"rows": [row]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/rows/0/sex"


def test_unseen_levels_and_missing_values_follow_the_policy_with_a_warning(
    client: httpx2.Client, model: object
) -> None:
    answer = client.post(PATH, json={"rows": [{**ROW, "island": "Atlantis", "sex": None}]})

    assert answer.status_code == 200
    assert "unseen_level" in {warning["code"] for warning in answer.json()["warnings"]}
    assert "Atlantis" not in answer.text


def test_rows_must_be_there_and_not_too_many(client: httpx2.Client, model: object) -> None:
    for rows in ([], [[]] * 10_001, "rows", [3], None):
        assert client.post(PATH, json={"rows": rows}).status_code == 422


def test_a_version_never_changes_and_the_name_means_the_newest(
    client: httpx2.Client, model: object, penguins: str
) -> None:
    body = {"dataset": penguins, "target": "species", "model": "moving", "training": {"epochs": 1}}
    wait = {"Prefer": "wait=60"}
    client.post("/v1/jobs", json=body, headers=wait)
    assert client.post("/v1/models/moving/predict", json={"rows": [ROW]}).json()["version"] == 1

    client.post("/v1/jobs", json=body, headers=wait)

    assert client.post("/v1/models/moving/predict", json={"rows": [ROW]}).json()["version"] == 2
    first = client.post("/v1/models/moving/versions/1/predict", json={"rows": [ROW]})
    assert first.json()["version"] == 1


def test_the_likeliest_classes_come_first(client: httpx2.Client, model: object) -> None:
    whole = client.post(PATH, json={"rows": [ROW]}).json()["predictions"][0]["probabilities"]
    best = sorted(whole, key=lambda name: -whole[name])[:2]

    answer = client.post(PATH, json={"rows": [ROW, ROW], "top_k": 2}).json()

    for one in answer["predictions"]:
        assert list(one["probabilities"]) == best
        assert one["label"] == best[0]
        assert one["probabilities"] == pytest.approx({name: whole[name] for name in best})


def test_a_threshold_decides_between_two_classes(client: httpx2.Client, penguins: str) -> None:
    job = {"dataset": penguins, "target": "sex", "model": "sex", "training": {"epochs": 5}}
    client.post("/v1/jobs", json=job, headers={"Prefer": "wait=60"})
    row = {**ROW, "species": "Gentoo"}
    del row["sex"]
    chances = client.post("/v1/models/sex/predict", json={"rows": [row]}).json()
    chance = chances["predictions"][0]["probabilities"]["male"]

    for threshold, label in ((chance, "male"), (min(1.0, chance + 1e-3), "female"), (0, "male")):
        body = {"rows": [row], "threshold": threshold}
        answer = client.post("/v1/models/sex/predict", json=body).json()
        assert answer["predictions"][0]["label"] == label


def test_options_that_do_not_go_with_the_model_are_refused(
    client: httpx2.Client, model: object
) -> None:
    answer = client.post(PATH, json={"rows": [ROW], "threshold": 0.5})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/threshold"
