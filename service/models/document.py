"""The OpenAPI document of one model: its predict route with the real columns and labels."""

from importlib.metadata import version as version_of
from typing import Any

from service.kit.problems import CATALOGUE, MEDIA_TYPE
from service.kit.schemas import ProblemDocument
from service.models.rows import Json, Policies, example, schema

FAILURES = ("malformed-json", "not-found", "too-large", "unsupported-media-type", "rows-invalid")


def document(
    name: str, number: int, signature: Json, policies: Policies, answer: Json, address: str
) -> Json:
    """OpenAPI 3.1 of `POST …/versions/{number}/predict`.

    answer: what the model really says to the example row. address: of the row's schema.
    """
    row = schema(signature, policies, address)
    row.pop("$schema")
    row.pop("$id")
    body = {"rows": [example(signature)]}
    target = signature["target"]["name"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{name}, version {number}",
            "version": f"{number}",
            "summary": f"Predicts {target} from {len(signature['features'])} columns.",
            "x-sigmoid-version": version_of("sigmoid"),
        },
        "servers": [{"url": "/"}],
        "paths": {
            f"/v1/models/{name}/versions/{number}/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": f"Predict {target}",
                    "description": "One prediction a row, in order.",
                    "requestBody": {
                        "required": True,
                        "content": _json({"$ref": "#/components/schemas/Rows"}, body),
                    },
                    "responses": _responses(answer),
                }
            }
        },
        "components": {"schemas": _schemas(name, number, signature, row)},
    }


def _json(shape: Json, example_value: Json) -> Json:
    return {"application/json": {"schema": shape, "example": example_value}}


def _responses(answer: Json) -> Json:
    found: Json = {
        "200": {
            "description": "The predictions.",
            "content": _json({"$ref": "#/components/schemas/Answer"}, answer),
        }
    }
    for slug in FAILURES:
        kind = CATALOGUE[slug]
        text = f"`{slug}`: {kind.explanation}"
        known = found.setdefault(
            str(kind.status),
            {
                "description": text,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
        if text not in known["description"]:
            known["description"] += f"\n\n{text}"
    return found


def _schemas(name: str, number: int, signature: Json, row: Json) -> Json:
    cells = [row["properties"][feature["name"]] for feature in signature["features"]]
    array = {
        "description": "The values in the signature's order.",
        "type": "array",
        "prefixItems": [{"title": key, **cell} for key, cell in
                        zip(row["properties"], cells, strict=True)],
        "minItems": len(cells),
        "maxItems": len(cells),
    }  # fmt: skip
    problem = ProblemDocument.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    nested = problem.pop("$defs", {})
    return {
        "Row": row,
        "Array": array,
        "Rows": {
            "type": "object",
            "properties": {
                "rows": {
                    "minItems": 1,
                    "oneOf": [
                        {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
                        {"type": "array", "items": {"$ref": "#/components/schemas/Array"}},
                    ],
                }
            },
            "required": ["rows"],
        },
        "Prediction": prediction(signature["target"]),
        "Warning": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "column": {"type": "string"},
                "count": {"type": "integer"},
                "message": {"type": "string"},
            },
        },
        "Answer": {
            "type": "object",
            "properties": {
                "model": {"const": name},
                "version": {"const": number},
                "predictions": _list("Prediction"),
                "warnings": _list("Warning"),
            },
            "required": ["model", "version", "predictions", "warnings"],
        },
        "Problem": problem,
        **nested,
    }


def _list(of: str) -> Json:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


def prediction(target: Json) -> Json:
    """What the model says to one row."""
    labels = target.get("labels")
    if target.get("targets"):
        return _several(target["targets"])
    if target.get("quantiles"):
        keys = [f"{level:g}" for level in target["quantiles"]]
        number = {"type": "number", "description": f"Of {target['name']}, in its own units."}
        return _object(quantiles=_object(**dict.fromkeys(keys, number)))
    if labels is None:
        number = {"type": "number", "description": f"{target['name']}, in its own units."}
        return {"type": "object", "properties": {"value": number}, "required": ["value"]}
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in labels]
    share: Any = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "type": "object",
        "properties": {
            "label": {"enum": list(labels), "description": f"The most likely {target['name']}."},
            "probabilities": {
                "type": "object",
                "properties": dict.fromkeys(names, share),
                "required": names,
            },
        },
        "required": ["label", "probabilities"],
    }


def _several(targets: list[Json]) -> Json:
    names = [target["name"] for target in targets]
    if targets[0].get("labels") is None:
        number = {"type": "number", "description": "In the column's own units."}
        return _object(values=_object(**dict.fromkeys(names, number)))
    labels = {target["name"]: {"enum": list(target["labels"])} for target in targets}
    share = {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Of the second of its labels.",
    }
    chances = _object(**dict.fromkeys(names, share))
    return _object(labels=_object(**labels), probabilities=chances)


def _object(**properties: Json) -> Json:
    """An object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}
