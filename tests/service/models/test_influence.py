"""Importance and dependence over HTTP."""

import pytest

PATH = "/v1/models/penguins/versions/latest"


def test_importance_ranks_the_columns_alike_again(client, penguins, model) -> None:
    body = {"dataset": penguins, "repeats": 4, "seed": 3}
    answer = client.post(f"{PATH}/importance", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["rows"] == 344
    means = [one["mean"] for one in found["columns"]]
    assert means == sorted(means, reverse=True)
    assert found["columns"][0]["column"] in {"bill_length_mm", "island", "bill_depth_mm"}
    assert found["columns"][0]["low"] > 0
    assert client.post(f"{PATH}/importance", json=body).json() == found


def test_dependence_follows_numbers_and_levels(client, penguins, model) -> None:
    def along(column: str) -> dict:
        body = {"dataset": penguins, "column": column, "points": 6, "lines": 3}
        answer = client.post(f"{PATH}/dependence", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    bills, islands = along("bill_length_mm"), along("island")
    assert bills["outputs"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert bills["at"] == sorted(bills["at"])
    assert all(sum(shares) == pytest.approx(1.0, abs=1e-5) for shares in bills["mean"])
    assert bills["mean"][0][0] > bills["mean"][-1][0]  # short bills are Adelie's
    assert set(islands["at"]) == {"Biscoe", "Dream", "Torgersen"}
    assert [len(bills["lines"]), len(bills["lines"][0]), len(bills["lines"][0][0])] == [3, 6, 3]


def test_columns_that_the_model_does_not_ask_for_are_refused(client, penguins, model) -> None:
    body = {"dataset": penguins, "column": "species"}
    answer = client.post(f"{PATH}/dependence", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/column"
    missing = client.post(f"{PATH}/importance", json={"dataset": "ds_nobody"})
    assert missing.status_code == 404
