"""The outermost layer: request ids, who may ask (Host, Origin), and the headers of every answer."""

import ipaddress
import json
import os
import re
from collections.abc import Container, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.kit.dialects import spoken
from service.kit.problems import Problem

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SAFE = {"GET", "HEAD", "OPTIONS"}
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
RAW_SECURITY_HEADERS = [
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
]


class Edge:
    """Pure ASGI middleware in front of everything.

    A browser that was tricked into calling us (DNS rebinding, forged cross-site requests) is
    told apart by the Host and Origin headers, on every route alike. The fast lane of predictions
    (service/predictions/lane.py) stands before this: what is checked here is checked there too.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, and complete the answer's headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_for(headers.get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(raw=message["headers"])
                message["headers"] = out.raw
                out["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    out.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], headers)
        if refusal is None:
            await self.app(scope, receive, complete)
        else:
            await answer(refusal, scope, complete)

    def _refusal(self, method: str, headers: Headers) -> Problem | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not knows_host(hosts[0], self.hosts):
            return Problem(
                "invalid-host", "The Host header is missing, doubled or not allowed here."
            )
        if method in _SAFE:
            return None
        origin = headers.get("origin")
        crossed = headers.get("sec-fetch-site") == "cross-site"
        if origin is not None and origin not in self.origins:
            crossed = crossed or urlsplit_host(origin) != hosts[0].lower()
        if crossed and origin not in self.origins:
            return Problem(
                "cross-origin-blocked", "Pages of other origins may not change anything here."
            )
        return None


def request_id_for(asked: str) -> str:
    """The caller's own id for a request where it is one, else a fresh one."""
    return asked if _REQUEST_ID.fullmatch(asked) else os.urandom(8).hex()


def knows_host(host: str, hosts: Container[str]) -> bool:
    """Whether a Host header names this service: localhost, a plain address, or one of `hosts`."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?", host)
    if match is None:
        return False
    name = match[1].lower().strip("[]")
    if name == "localhost" or name in hosts:
        return True
    try:
        ipaddress.ip_address(name)  # rebinding always comes with a name
    except ValueError:
        return False
    return True


def urlsplit_host(origin: str) -> str:
    """Host and port of an origin; empty when there is none (`null`)."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def answer(problem: Problem, scope: Scope, send: Send) -> None:
    """Send a problem document."""
    request_id = scope.get("state", {}).get("request_id", "")
    path = scope["path"].encode("utf-8", "replace").decode()
    document, kind = spoken(problem, path, request_id)
    body = json.dumps(document).encode()
    headers = {"content-type": kind, "content-length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.type.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
