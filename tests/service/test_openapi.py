"""The API against its own description."""

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document(client: httpx2.Client, model: object) -> dict[str, object]:
    return dict(client.get("/openapi.json").json())


@pytest.fixture(scope="module")
def api(document: dict[str, object], server: str) -> object:
    for path in list(document["paths"]):  # type: ignore[call-overload]
        if path.endswith("/stream"):  # ends with its job, which fuzzing does not wait for
            del document["paths"][path]  # type: ignore[index]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server)
    return schema


schema = schemathesis.pytest.from_fixture("api")


def test_the_document_is_valid(client: httpx2.Client) -> None:
    validate(client.get("/openapi.json").json())


def test_every_operation_has_a_summary_a_description_tags_and_errors(
    document: dict[str, object],
) -> None:
    for path, operations in document["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert "application/problem+json" in answer["content"], where
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), f"{where} {parameter['name']}"


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_nothing_undocumented_comes_back(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS, timeout=60)
