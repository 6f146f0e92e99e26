"""Turning every exception into a problem document, in one place."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from service.kit.bodies import fields_problem
from service.kit.dialects import spoken
from service.kit.idempotency import Replayed
from service.kit.problems import Problem

_log = logging.getLogger("sigmoid")
_BY_STATUS = {
    400: ("malformed-request", "The request cannot be read."),
    404: ("not-found", "There is nothing at this address."),
    405: ("method-not-allowed", "This address does not know the method; see the Allow header."),
    406: ("not-acceptable", "No form that Accept allows can be given."),
    413: ("too-large", "The body is too large."),
    415: ("unsupported-media-type", "This route does not read that Content-Type."),
}


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Replayed, _replayed)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def respond(problem: Problem, request: Request) -> Response:
    """The problem as an answer."""
    document, kind = spoken(problem, request.scope["path"], request.state.request_id)
    return JSONResponse(document, problem.type.status, dict(problem.headers), media_type=kind)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(error, request)


async def _replayed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Replayed)
    found = error.answer
    headers = {**found.headers, "Idempotent-Replayed": "true"}
    return Response(found.body, found.status, headers, media_type="application/json")


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found: list[tuple[tuple[Any, ...], str, str]] = [
        (tuple(item["loc"]), item["msg"], item["type"]) for item in error.errors()
    ]
    return respond(fields_problem(found), request)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug, detail = _BY_STATUS.get(
        error.status_code, ("malformed-request", "The request is refused.")
    )
    return respond(Problem(slug, detail, headers=error.headers or {}), request)


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("unexpected fault, request_id=%s", request.state.request_id, exc_info=error)
    return respond(Problem("internal", "Something broke on our side; it has been logged."), request)
