"""Explanations over HTTP: complete, of the right label, and refused by place."""

import pytest

ROW = {
    "island": "Biscoe", "bill_length_mm": 46.1, "bill_depth_mm": 13.2, "flipper_length_mm": 211,
    "body_mass_g": 4500, "sex": None, "year": 2008,
}  # fmt: skip
PATH = "/v1/models/penguins"


def test_parts_sum_up_to_what_prediction_says(client, model) -> None:
    said = client.post(f"{PATH}/predict", json={"rows": [ROW]}).json()["predictions"][0]

    answer = client.post(f"{PATH}/explain", json={"rows": [ROW]})

    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["explanations"]
    assert found["label"] == said["label"]
    assert found["answer"] == pytest.approx(said["probabilities"][said["label"]], abs=1e-5)
    total = sum(found["contributions"].values())
    assert total == pytest.approx(found["answer"] - found["baseline"], abs=1e-4)
    assert set(found["contributions"]) <= set(ROW)


def test_another_label_and_a_baseline_of_ones_own(client, model) -> None:
    other = {**ROW, "bill_depth_mm": 18.0, "bill_length_mm": 38.0}
    body = {"rows": [ROW, other], "label": "Adelie", "baseline": ROW}
    first, second = client.post(f"{PATH}/versions/1/explain", json=body).json()["explanations"]
    assert all(value == 0.0 for value in first["contributions"].values())
    assert second["label"] == "Adelie"
    assert second["baseline"] == first["answer"]
    changed = {name for name, value in second["contributions"].items() if value != 0.0}
    assert changed == {"bill_depth_mm", "bill_length_mm"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rows": [ROW], "label": "Emperor"}, "/label"),
        ({"rows": [ROW], "label": 1}, "/label"),
        ({"rows": [{**ROW, "body_mass_g": "much"}]}, "/rows/0/body_mass_g"),
        ({"rows": [ROW], "baseline": {"island": "Biscoe"}}, "/baseline"),
        ({"rows": []}, "/rows"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_its_place(client, model, body, pointer) -> None:
    answer = client.post(f"{PATH}/explain", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_models_of_several_targets_are_refused(client, penguins) -> None:
    body = {"dataset": penguins, "target": ["bill_length_mm", "bill_depth_mm"], "model": "two",
            "training": {"epochs": 2}}  # fmt: skip
    job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded"
    features = {name: ROW[name] for name in job["features"] if name in ROW} | {"species": "Adelie"}
    answer = client.post("/v1/models/two/explain", json={"rows": [features]})
    assert answer.status_code == 409
