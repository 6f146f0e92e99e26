"""Preprocessing by column, as a caller asks for it and as the model keeps it."""

import csv
import io
from datetime import date, timedelta

import httpx2
import numpy as np
import pytest


@pytest.fixture(scope="module")
def sales(client: httpx2.Client) -> str:
    """A table whose target follows from the season, a size and a code of many levels."""
    rng = np.random.default_rng(3)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["day", "size", "code", "income", "open", "sold"])
    for row in range(700):
        day = date(2022, 1, 1) + timedelta(days=int(rng.integers(0, 900)))
        size = int(rng.integers(0, 3))
        season = np.cos(2 * np.pi * day.timetuple().tm_yday / 365.25)
        sold = 10 * season + 4 * size + rng.normal()
        income = "" if row % 9 == 0 else f"{rng.lognormal(8, 2):.2f}"
        cells = [
            day,
            ["small", "mid", "large"][size],
            f"K{row}",
            income,
            row % 2 == 0,
            f"{sold:.4f}",
        ]
        writer.writerow(cells)
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/datasets?name=sales", content=file.getvalue(), headers=headers)
    return str(answer.json()["id"])


COLUMNS = {
    "day": {"encoding": "date", "missing": "indicator"},
    "size": {"encoding": "ordinal", "levels": ["small", "mid", "large"]},
    "code": {"encoding": "frequency"},
    "income": {"scaling": "log1p", "missing": "constant", "fill": 0},
}
ROW = {"day": "2024-12-24", "size": "large", "code": "K1", "income": None, "open": True}


@pytest.fixture(scope="module")
def trained(client: httpx2.Client, sales: str) -> dict[str, object]:
    body = {
        "dataset": sales,
        "target": "sold",
        "model": "sales",
        "preprocessing": {"scaling": "quantile_normal", "columns": COLUMNS},
        "network": {"layers": [{"units": 8, "activation": "tanh"}]},
        "seed": 1,
    }
    job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded", job
    return dict(job)


def test_season_and_size_are_learned_from_dates_and_ordered_levels(trained):
    assert trained["result"]["metrics"]["r2"] > 0.9
    assert trained["preprocessing"]["columns"] == COLUMNS


def test_a_row_is_answered_with_dates_as_text(client: httpx2.Client, trained) -> None:
    body = {"rows": [ROW, ROW | {"day": "2024-06-24"}, ROW | {"size": "small", "day": None}]}
    answer = client.post("/v1/models/sales/predict", json=body).json()
    winter, summer, _ = (one["value"] for one in answer["predictions"])
    assert winter - summer > 10
    bad = client.post("/v1/models/sales/predict", json={"rows": [ROW | {"day": "soon"}]})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["pointer"] == "/rows/0/day"


def test_the_signature_and_the_schema_know_dates(client: httpx2.Client, trained) -> None:
    version = client.get("/v1/models/sales/versions/1").json()
    day = next(f for f in version["signature"]["features"] if f["name"] == "day")
    assert (day["type"], day["earliest"][:4]) == ("date", "2022")
    schema = client.get("/v1/models/sales/versions/1/schema").json()
    assert schema["properties"]["day"]["type"] == ["string", "null"]
    example = schema["examples"][0]
    assert client.post("/v1/models/sales/predict", json={"rows": [example]}).status_code == 200


def test_a_table_in_bulk_has_its_dates_read(client: httpx2.Client, trained) -> None:
    text = "day,size,code,income,open\n2024-12-24,large,K1,,true\n"
    headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
    answer = client.post("/v1/models/sales/predict", content=text, headers=headers)
    assert answer.status_code == 200, answer.text
    one = client.post("/v1/models/sales/predict", json={"rows": [ROW]}).json()["predictions"][0]
    assert float(answer.text.split()[1]) == pytest.approx(one["value"], rel=1e-5)


@pytest.mark.parametrize(
    ("column", "choice", "field"),
    [
        ("size", {"scaling": "robust"}, "scaling"),
        ("income", {"encoding": "ordinal"}, "encoding"),
        ("income", {"missing": "constant"}, "fill"),
        ("income", {"fill": 1.0}, "fill"),
        ("income", {"missing": "constant", "fill": "secret"}, "fill"),
        ("open", {"missing": "constant", "fill": 1.0}, "fill"),
        ("size", {"levels": ["a", "b"]}, "levels"),
        ("size", {"encoding": "ordinal", "levels": ["a", "a"]}, "levels"),
        ("size", {"parts": ["year"]}, "parts"),
        ("day", {"encoding": "date", "missing": "constant", "fill": "x"}, "missing"),
        ("nowhere", {"missing": "error"}, None),
    ],
)
def test_a_choice_that_does_not_fit_its_column_is_refused(
    client: httpx2.Client, sales: str, column: str, choice: dict[str, object], field: str | None
) -> None:
    preprocessing = {"columns": {column: choice}}
    body = {"dataset": sales, "target": "sold", "preprocessing": preprocessing}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    where = f"/preprocessing/columns/{column}"
    assert (where if field is None else f"{where}/{field}") in pointers
    assert "secret" not in answer.text


def test_a_text_that_is_no_date_fails_the_job_and_says_which(
    client: httpx2.Client, sales: str
) -> None:
    body = {
        "dataset": sales,
        "target": "sold",
        "preprocessing": {"columns": {"size": {"encoding": "date"}}},
    }
    job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "failed"
    assert job["error"]["code"] == "dataset_invalid"
    assert "ISO 8601" in job["error"]["message"]
