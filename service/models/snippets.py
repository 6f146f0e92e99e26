"""Calls to paste: each asks one version of a model for the example row, and prints the answer."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

from service.models.rows import Json, example


@dataclass(frozen=True)
class Snippet:
    """A program of a few lines. `needs`: what has to be there to run it."""

    language: str
    title: str
    needs: str
    code: str


def snippets(base: str, name: str, number: int, signature: Json) -> list[Snippet]:
    """One a language. base: the service's address, without a slash at its end."""
    url = f"{base}/v1/models/{name}/versions/{number}/predict"
    row = example(signature)
    answer = _answer(signature["target"])
    return [
        Snippet("curl", "Shell", "curl", _curl(url, row)),
        Snippet("python", "Python", "Python 3, nothing to install", _python(url, row, answer)),
        Snippet("javascript", "JavaScript", "Node 18 or a browser", _javascript(url, row, answer)),
        Snippet(
            "oip",
            "Open Inference Protocol",
            "pip install tritonclient[http]",
            _oip(base, name, number, signature, row),
        ),
    ]


def _answer(target: Json) -> str:
    """What a prediction calls its answer."""
    if target.get("targets"):
        return "labels" if target["targets"][0].get("labels") else "values"
    if target.get("quantiles"):
        return "quantiles"
    return "label" if target.get("labels") else "value"


def _curl(url: str, row: Json) -> str:
    body = json.dumps({"rows": [row]}, ensure_ascii=False)
    return (
        f"curl -sS {shlex.quote(url)} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}\n"
    )


def _python(url: str, row: Json, answer: str) -> str:
    return f"""import json
import urllib.request

row = {_literal(row)}
request = urllib.request.Request(
    {url!r},
    data=json.dumps({{"rows": [row]}}).encode(),
    headers={{"Content-Type": "application/json"}},
)
with urllib.request.urlopen(request) as response:
    answer = json.load(response)
print(answer["predictions"][0]["{answer}"])
"""


def _literal(row: Json) -> str:
    cells = "".join(f"    {name!r}: {cell!r},\n" for name, cell in row.items())
    return "{\n" + cells + "}"


def _javascript(url: str, row: Json, answer: str) -> str:
    cells = "".join(
        f"  {_key(name)}: {json.dumps(cell, ensure_ascii=False)},\n" for name, cell in row.items()
    )
    return f"""const row = {{
{cells}}};
fetch({json.dumps(url)}, {{
  method: "POST",
  headers: {{ "Content-Type": "application/json" }},
  body: JSON.stringify({{ rows: [row] }}),
}})
  .then((response) => response.json())
  .then((answer) => console.log(answer.predictions[0].{answer}));
"""


def _key(name: str) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    return f"[{quoted}]" if name == "__proto__" else quoted  # else it sets the prototype


_KINDS = {
    "number": ("FP64", "np.float64"),
    "category": ("BYTES", "object"),
    "boolean": ("BOOL", "bool"),
    "date": ("BYTES", "object"),
}


def _oip(base: str, name: str, number: int, signature: Json, row: Json) -> str:
    host = base.partition("://")[2]
    secure = ", ssl=True" if base.startswith("https") else ""
    columns = "".join(
        f"    ({feature['name']!r}, {_KINDS[feature['type']][0]!r}, "
        f"{_cell(row[feature['name']])}, {_KINDS[feature['type']][1]}),\n"
        for feature in signature["features"]
    )
    return f"""import numpy as np
import tritonclient.http as oip

columns = [
{columns}]
inputs = []
for name, kind, value, dtype in columns:
    tensor = oip.InferInput(name, [1], kind)
    tensor.set_data_from_numpy(np.array([value], dtype=dtype), binary_data=False)
    inputs.append(tensor)
client = oip.InferenceServerClient({host!r}{secure})
answer = client.infer({name!r}, inputs, model_version={str(number)!r})
for output in answer.get_response()["outputs"]:
    print(output["name"], answer.as_numpy(output["name"]))
"""


def _cell(value: Any) -> str:
    return repr(value.encode()) if isinstance(value, str) else repr(value)
