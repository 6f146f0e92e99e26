"""What is said about a version, held to what the version does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

PENGUINS = "/v1/models/penguins/versions/latest"
ODD = '''"it\'s","say ""hi""",$HOME,Größe 中,__proto__,"a|b`c","is it so","y"
1,red,2,a,5,x,true,1.5
2,blue,4,b,6,y,false,2.5
3,red,1,a,7,x,true,3.5
4,green,3,c,8,y,true,4.5
'''


@pytest.fixture(scope="module")
def odd(client: httpx2.Client) -> str:
    """A regression whose columns have names that break careless quoting."""
    sent = client.post(
        "/v1/datasets",
        params={"name": "odd"},
        content=(ODD + ODD.partition("\n")[2] * 9).encode(),
        headers={"Content-Type": "text/csv"},
    )
    assert sent.status_code in (200, 201), sent.text
    body = {"dataset": sent.json()["id"], "target": "y", "model": "odd-names", "seed": 1,
            "task": "regression", "training": {"epochs": 2},
            "preprocessing": {"missing": "error", "unseen": "error"}}  # fmt: skip
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text
    return "/v1/models/odd-names/versions/latest"


@pytest.fixture(params=["penguins", "odd"])
def version(request: pytest.FixtureRequest, model: object, odd: str) -> str:
    return PENGUINS if request.param == "penguins" else odd


def predicts(client: httpx2.Client, version: str, row: Any) -> httpx2.Response:
    return client.post(f"{version}/predict", json={"rows": [row]})


def test_the_example_row_predicts_without_a_warning(client: httpx2.Client, version: str) -> None:
    schema = client.get(f"{version}/schema").json()
    jsonschema.Draft202012Validator.check_schema(schema)

    for row in schema["examples"]:
        answer = predicts(client, version, row)

        assert answer.status_code == 200, answer.text
        assert answer.json()["warnings"] == []
        jsonschema.validate(row, schema)


CHANGES: list[Any] = [None, True, 3, -1e30, 2.5, "Biscoe", "elsewhere", [], {}]


def test_the_schema_accepts_what_the_model_answers_and_nothing_else(
    client: httpx2.Client, version: str
) -> None:
    schema = client.get(f"{version}/schema").json()
    check = jsonschema.Draft202012Validator(schema)
    row = schema["examples"][0]
    rows = [{**row, name: value} for name in row for value in CHANGES]
    rows += [{key: row[key] for key in row if key != name} for name in row]
    rows += [{**row, "wings": 2}]

    for changed in rows:
        status = predicts(client, version, changed).status_code
        assert check.is_valid(changed) is (status == 200), changed


def test_ranges_and_levels_are_those_of_training(client: httpx2.Client, model: object) -> None:
    columns = client.get(f"{PENGUINS}/schema").json()["properties"]

    assert columns["island"]["x-levels"] == ["Biscoe", "Dream", "Torgersen"]
    low, high = columns["flipper_length_mm"]["x-range"]
    assert 170 <= low < high <= 231
    assert columns["flipper_length_mm"]["type"] == ["number", "null"]


def test_the_document_is_valid_and_its_example_is_what_is_answered(
    client: httpx2.Client, version: str
) -> None:
    document = client.get(f"{version}/openapi.json").json()
    validate(document)
    ((path, operations),) = document["paths"].items()
    body = operations["post"]["requestBody"]["content"]["application/json"]["example"]

    (answered,) = client.post(path, json=body).json()["predictions"]

    said = operations["post"]["responses"]["200"]["content"]["application/json"]["example"]
    (prediction,) = said["predictions"]
    assert answered.get("label") == prediction.get("label")
    for name in answered.keys() - {"label"}:  # one row and many round otherwise in the last bits
        assert answered[name] == pytest.approx(prediction[name], rel=1e-5)


def test_the_document_describes_every_answer(client: httpx2.Client, version: str) -> None:
    document = client.get(f"{version}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(client.base_url))
    (operation,) = (found.ok() for found in schema.get_all_operations())
    statuses = set()

    @given(case=operation.as_strategy())
    @settings(max_examples=40, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def check(case: schemathesis.Case) -> None:
        checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
        statuses.add(case.call_and_validate(checks=checks, timeout=60).status_code)

    check()
    assert 200 in statuses


def snippet(client: httpx2.Client, version: str, language: str) -> str:
    data = client.get(f"{version}/snippets").json()["data"]
    return next(entry["code"] for entry in data if entry["language"] == language)


def answered(client: httpx2.Client, version: str) -> Any:
    row = client.get(f"{version}/schema").json()["examples"][0]
    prediction = predicts(client, version, row).json()["predictions"][0]
    return prediction.get("label", prediction.get("value"))


def output(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": "/nowhere"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_curl_snippet_runs(client: httpx2.Client, version: str) -> None:
    printed = json.loads(output("bash", "-c", snippet(client, version, "curl")))

    (prediction,) = printed["predictions"]
    assert prediction.get("label", prediction.get("value")) == answered(client, version)


def test_the_python_snippet_runs(client: httpx2.Client, version: str) -> None:
    printed = output(sys.executable, "-I", "-c", snippet(client, version, "python"))

    assert printed == f"{answered(client, version)}\n"


def test_the_javascript_snippet_runs(client: httpx2.Client, version: str, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        assert not os.environ.get("CI"), "CI has to have node"
        pytest.skip("NO JAVASCRIPT TESTS: there is no node (apt-get install nodejs)")
    file = tmp_path / "snippet.mjs"
    file.write_text(snippet(client, version, "javascript"))

    printed = output("node", str(file)).strip()

    expected = answered(client, version)
    assert (float(printed) if isinstance(expected, float) else printed) == expected


def test_the_open_inference_protocol_snippet_runs(client: httpx2.Client, version: str) -> None:
    printed = output(sys.executable, "-I", "-c", snippet(client, version, "oip"))

    outputs = dict(line.split(" ", 1) for line in printed.splitlines())
    expected = answered(client, version)
    if isinstance(expected, float):
        assert float(outputs["value"].strip("[] ")) == pytest.approx(expected, rel=1e-5)
    else:
        assert expected in outputs["label"]


def test_the_card_tells_what_is_on_record(client: httpx2.Client, model: dict[str, Any]) -> None:
    client.patch("/v1/models/penguins", json={"description": "Sorts *penguins* | fast"})
    card = client.get(f"{PENGUINS}/card").json()
    result = model["result"]

    assert {figure["name"]: figure["value"] for figure in card["figures"]} == result["metrics"]
    better = {figure["name"]: figure["better"] for figure in card["figures"]}
    assert better.pop("calibration_error") is None
    assert all(better.values()), better
    assert card["training"]["job"] == model["id"]
    assert card["training"]["seed"] == 7
    assert card["training"]["recipe"]["epochs"] == model["training"]["epochs"]
    assert card["training"]["environment"]["python"].startswith("3.")
    assert card["data"]["name"] == "penguins"
    assert "CC0" in json.dumps(card["data"]["source"])
    counts = card["evaluation"]["counts"]
    assert sum(map(sum, counts)) == card["judging_rows"]
    accuracy = sum(counts[i][i] for i in range(3)) / card["judging_rows"]
    assert accuracy == pytest.approx(result["metrics"]["accuracy"])


def test_the_card_as_markdown_shows_the_same(client: httpx2.Client, model: object) -> None:
    client.patch("/v1/models/penguins", json={"description": "Sorts *penguins* | <b>fast</b>"})
    answer = client.get(f"{PENGUINS}/card", headers={"Accept": "text/markdown"})

    assert answer.headers["content-type"].startswith("text/markdown")
    html = MarkdownIt("commonmark").enable("table").render(answer.text)
    assert "<h1>penguins, version" in html
    assert "<p>Sorts *penguins* | &lt;b&gt;fast&lt;/b&gt;</p>" in html
    assert "<td>accuracy</td>" in html
    assert "<td>bill_length_mm</td>" in html


@pytest.mark.parametrize("what", ["", "/card", "/schema", "/openapi.json"])
def test_what_did_not_change_is_not_sent_again(
    client: httpx2.Client, model: object, what: str
) -> None:
    first = client.get(f"{PENGUINS}{what}")

    again = client.get(f"{PENGUINS}{what}", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("what", ["card", "schema", "openapi.json", "snippets"])
def test_what_is_not_there_is_not_found(client: httpx2.Client, model: object, what: str) -> None:
    for path in ("/v1/models/nobody/versions/1", "/v1/models/penguins/versions/nothing"):
        assert client.get(f"{path}/{what}").status_code == 404
