"""Every way to fail, as RFC 9457 problem documents.

Problem                 an expected failure: raise it anywhere, one handler answers
└─ its ProblemType      the row of CATALOGUE that gives status, title and explanation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """One kind of failure; `GET /problems/{slug}` explains it."""

    slug: str
    status: int
    title: str
    explanation: str

    @property
    def uri(self) -> str:
        """The stable relative reference that stands in `type`."""
        return f"/problems/{self.slug}"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: a JSON pointer (RFC 6901), a sentence, a code."""

    pointer: str
    detail: str
    code: str


def _catalogue(*rows: tuple[str, int, str, str]) -> dict[str, ProblemType]:
    return {slug: ProblemType(slug, status, title, text) for slug, status, title, text in rows}


CATALOGUE = _catalogue(
    (
        "malformed-request",
        400,
        "Malformed request",
        "The request breaks the rules of HTTP or of this route's headers. The detail says "
        "which one.",
    ),
    (
        "malformed-json",
        400,
        "Malformed JSON",
        "The body is not JSON as RFC 8259 has it: UTF-8, no NaN or Infinity, no number beyond"
        " float64, no lone surrogates, no key twice, at most 200 levels deep.",
    ),
    (
        "invalid-host",
        400,
        "Host not allowed",
        "The Host header names something this service does not answer to. Add the name to "
        "SIGMOID_ALLOWED_HOSTS.",
    ),
    (
        "unauthenticated",
        401,
        "Key required",
        "This service asks for an API key, and none or an unknown one came. Send it as "
        "Authorization: Bearer.",
    ),
    (
        "insufficient-scope",
        403,
        "Key not sufficient",
        "The API key is known but not good for this. The detail names the scope that is.",
    ),
    (
        "cross-origin-blocked",
        403,
        "Cross-origin request blocked",
        "A page of another origin tried to change something here. Add the origin to "
        "SIGMOID_ALLOWED_ORIGINS if it may.",
    ),
    (
        "not-found",
        404,
        "Not found",
        "Nothing has this address or identifier, or it was deleted.",
    ),
    (
        "method-not-allowed",
        405,
        "Method not allowed",
        "This address exists but does not know the method. The Allow header lists those it knows.",
    ),
    (
        "not-acceptable",
        406,
        "Not acceptable",
        "The answer cannot be given in a form that Accept allows.",
    ),
    (
        "conflict",
        409,
        "Conflict",
        "The resource's present state does not allow this. The detail says what stands in the way.",
    ),
    (
        "precondition-failed",
        412,
        "Precondition failed",
        "If-Match or If-None-Match does not fit: somebody else changed the resource. GET it anew "
        "and decide again.",
    ),
    (
        "request-timeout",
        408,
        "Request timeout",
        "The request did not arrive in time. Send headers and body without pauses; GET /v1/limits "
        "lists the deadlines.",
    ),
    (
        "idempotency-in-progress",
        409,
        "Request in progress",
        "Another request with this Idempotency-Key is being answered. Retry after the seconds in "
        "Retry-After; the answer is then the stored one.",
    ),
    (
        "too-large",
        413,
        "Too large",
        "The body is larger than the limit; GET /v1/limits lists them all.",
    ),
    (
        "url-too-long",
        414,
        "Address too long",
        "The address with its query is longer than GET /v1/limits allows.",
    ),
    (
        "unsupported-media-type",
        415,
        "Unsupported media type",
        "The Content-Type or Content-Encoding is not one that this route reads. The detail "
        "lists those it does.",
    ),
    (
        "invalid-request",
        422,
        "Invalid request",
        "The body or a parameter is well-formed, but a field is missing, unknown, of the "
        "wrong type or out of range. Each entry of errors points to one.",
    ),
    (
        "dataset-invalid",
        422,
        "Invalid data set",
        "The table cannot be read. Each entry of errors names line and column, what was "
        "expected and what to do.",
    ),
    (
        "job-invalid",
        422,
        "Invalid job",
        "The job does not fit its data set: see errors.",
    ),
    (
        "job-too-large",
        422,
        "Job too large",
        "Parameters, rows and epochs together exceed what one job may cost here. GET "
        "/v1/limits lists the bounds.",
    ),
    (
        "rows-invalid",
        422,
        "Invalid rows",
        "A row does not fit the model's signature. Each entry of errors points to row and "
        "column; GET the model for its signature.",
    ),
    (
        "model-invalid",
        422,
        "Invalid model file",
        "The file is no model of this program, is damaged, or is beyond what this service takes. "
        "Export it anew; GET /v1/limits lists the bounds.",
    ),
    (
        "export-unsupported",
        422,
        "Not exportable in this format",
        "The format has no way to say what the model does, such as reading dates in ONNX. Take "
        "another format: python, javascript, json and safetensors say everything.",
    ),
    (
        "inference-invalid",
        400,
        "Invalid inference request",
        "The tensors do not fit the Open Inference Protocol or the model. The answer names the "
        "tensor; GET /v2/models/{name} for those the model takes.",
    ),
    (
        "idempotency-key-reused",
        422,
        "Idempotency key reused",
        "This Idempotency-Key came before, with another request. Use a fresh key for each request "
        "that is not a repetition.",
    ),
    (
        "queue-full",
        429,
        "Queue full",
        "Too many jobs are waiting. Retry after the seconds in Retry-After.",
    ),
    (
        "rate-limited",
        429,
        "Too many attempts",
        "Too many wrong API keys came from this address. Retry after the seconds in Retry-After; "
        "valid keys are still taken.",
    ),
    (
        "headers-too-large",
        431,
        "Headers too large",
        "The request's headers are too many or too large; GET /v1/limits lists the bounds.",
    ),
    (
        "internal",
        500,
        "Internal error",
        "A fault of this service. It has been logged under the request_id.",
    ),
    (
        "overloaded",
        503,
        "Overloaded",
        "Too much at once. Retry after the seconds in Retry-After.",
    ),
    (
        "database-busy",
        503,
        "Database unavailable",
        "The database did not answer in time. Nothing was written; retry.",
    ),
    (
        "shutting-down",
        503,
        "Shutting down",
        "This process is about to stop. Retry in a moment.",
    ),
    (
        "model-unreadable",
        503,
        "Model unreadable",
        "The stored model file is missing or fails its checksum. Other models are not affected.",
    ),
    (
        "storage-full",
        507,
        "Storage full",
        "The disk has too little room left. Reads and predictions go on.",
    ),
)


@dataclass
class Problem(Exception):
    """An expected failure. `detail` and `errors` must never repeat the caller's values."""

    slug: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> ProblemType:
        """The row of the catalogue."""
        return CATALOGUE[self.slug]

    def document(self, instance: str, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [vars(error) for error in self.errors]
        return body


def not_found(what: str) -> Problem:
    """404 for a resource; the same words whatever the identifier was."""
    return Problem("not-found", f"There is no such {what}. It may have been deleted.")


def invalid(
    pointer: str, detail: str, *, slug: str = "invalid-request", code: str = "invalid"
) -> Problem:
    """422 for one field."""
    return Problem(slug, detail, [FieldError(pointer, detail, code)])


def pointer(*parts: str | int) -> str:
    """Join the parts of a path as a JSON pointer (RFC 6901, section 3)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
