"""The API against its own description."""

from collections.abc import Iterator

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import service.app  # noqa: F401, which registers the dialects
from service.kit.dialects import dialect_of
from tests.conftest import running

EXAMPLES = 25  # an operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own: fuzzing fills the queue with whatever it can think of."""
    with running(tmp_path_factory.mktemp("fuzzed"), SIGMOID_MAX_SECONDS="2") as service:
        httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30)
        body = {"dataset": "ds_sample_penguins", "target": "species", "model": "penguins"}
        wait = {"Prefer": "wait=60"}
        httpx2.post(f"{service.url}/v1/jobs", json=body, headers=wait, timeout=90)
        yield service.url


@pytest.fixture(scope="module")
def document(api: str) -> dict[str, object]:
    return dict(httpx2.get(f"{api}/openapi.json", timeout=30).json())


def test_the_document_is_valid(document: dict[str, object]) -> None:
    validate(document)


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
                    dialect = dialect_of(path)
                    kind = "application/problem+json" if dialect is None else "application/json"
                    assert kind in answer["content"], where
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), f"{where} {parameter['name']}"


@pytest.mark.timeout(300)
def test_nothing_undocumented_comes_back(document: dict[str, object], api: str) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=api)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/stream"):
            continue  # ends with its job, which fuzzing does not wait for

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        check()
