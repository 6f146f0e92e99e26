"""The fast lane: plain predictions, answered in front of everything else.

One row of JSON is the request this service gets most, and routing, dependencies and response
classes cost several times what the prediction does. This application answers a question that is
plain in every respect: small, JSON, `rows` alone, every cell of its column's type, the model in
memory. Whatever is not plain goes, with its body, to the documented route, which answers the same
question at length; so errors have one home. tests/service/predictions/test_lane.py holds the two
alike.
"""

import logging
import re
import time
from typing import Any

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from core.errors import DataError
from service.kit.edge import RAW_SECURITY_HEADERS, knows_host, request_id_for
from service.kit.keys import Keyring
from service.models.resolution import REFERENCE, parse_reference
from service.predictions.answering import SMALL_BYTES, plain_answer
from service.state import State

_log = logging.getLogger("sigmoid")
_PATH = re.compile(r"/v1/models/([^/]{1,100})(?:/versions/(" + REFERENCE[1:-1] + r"))?/predict")
_ROUTE, _VERSION_ROUTE = "/v1/models/{name}/predict", "/v1/models/{name}/versions/{version}/predict"
_JSON = {b"application/json", b"application/json; charset=utf-8"}
_ANY = {b"*/*", b"application/json"}
# The headers that a plain question may have of those that change the answer, and the others.
_PLAIN = {b"host", b"content-type", b"content-length", b"accept", b"x-request-id", b"x-routing-key",
          b"authorization"}  # fmt: skip
_SPECIAL = {b"origin", b"sec-fetch-site", b"content-encoding", b"transfer-encoding", b"expect",
            b"idempotency-key", b"prefer"}  # fmt: skip
_MEANINGFUL = _PLAIN | _SPECIAL


class FastLane:
    """An ASGI application around the service's own."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._hosts: dict[bytes, bool] = {}
        self._held: State | None = None

    @property
    def held(self) -> State | None:
        """What the service holds, once it has started."""
        if self._held is None:
            self._held = getattr(self.app.state, "held", None)
        return self._held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        found = self._addressed(scope)
        headers = None if found is None else self._plain(scope["headers"])
        if found is None or headers is None:
            await self.app(scope, receive, send)
            return
        began = time.perf_counter_ns()
        message = await receive()
        body = None
        if message["type"] == "http.request" and not message.get("more_body"):
            body = self._answer(found, headers, message.get("body", b""))
        if body is None:
            await self.app(scope, _again(message, receive), send)
            return
        request_id = request_id_for(headers.get(b"x-request-id", b"").decode("latin-1"))
        start = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
            (b"x-request-id", request_id.encode()),
            *RAW_SECURITY_HEADERS,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": body})
        self._count(found, time.perf_counter_ns() - began)

    def _count(self, found: re.Match[str], nanoseconds: int) -> None:
        assert self.held is not None
        route = _ROUTE if found[2] is None else _VERSION_ROUTE
        self.held.meter.answered("POST", route, 200, nanoseconds)
        self.held.meter.predicted(found[1])

    def _addressed(self, scope: Scope) -> re.Match[str] | None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return None
        return _PATH.fullmatch(scope["path"])

    def _plain(self, raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
        """The headers that mean something; None unless all are plain and there once."""
        named = [pair for pair in raw if pair[0] in _MEANINGFUL]
        headers = dict(named)
        length = headers.get(b"content-length", b"")
        is_plain = (
            len(headers) == len(named)
            and headers.keys() <= _PLAIN
            and headers.get(b"content-type") in _JSON
            and headers.get(b"accept", b"*/*") in _ANY
            and length.isdigit()
            and int(length) <= SMALL_BYTES
            and len(headers.get(b"x-routing-key", b"")) <= 256
            and self._knows(headers.get(b"host", b""))
            and self._admits(headers.get(b"authorization"))
        )
        return headers if is_plain else None

    def _knows(self, host: bytes) -> bool:
        known = self._hosts.get(host)
        if known is None and self.held is not None:
            known = knows_host(host.decode("latin-1"), self.held.settings.allowed_hosts)
            if len(self._hosts) < 1000:
                self._hosts[host] = known
        return bool(known)

    def _admits(self, authorization: bytes | None) -> bool:
        keys: Keyring = self.app.state.keys
        return not keys or keys.caller(authorization) is not None  # every scope may ask

    def _answer(
        self, found: re.Match[str], headers: dict[bytes, bytes], body: bytes
    ) -> bytes | None:
        """The body of a 200; None where the route has to look."""
        held = self.held
        assert held is not None
        name, reference = found[1], found[2]
        try:
            if reference is not None:
                shelved = held.shelf.at_hand(name, parse_reference(reference))
            else:
                key = headers.get(b"x-routing-key")
                routing_key = None if key is None else key.decode("latin-1")
                shelved = held.shelf.at_hand(name, None, routing_key)
            return None if shelved is None else plain_answer(held, shelved, body)
        except DataError:
            return None
        except Exception:  # noqa: BLE001 - the route answers, and its faults are problem documents
            _log.exception("the fast lane broke; the route answers")
            return None


def _again(first: Message, receive: Receive) -> Receive:
    """Messages as if the first had not been taken yet."""
    waiting: list[Any] = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
