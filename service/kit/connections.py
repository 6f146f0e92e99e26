"""Connections that cannot be used to wear the service out.

uvicorn waits for ever for a client that sends half a header, a byte of body a second, or never
reads its answer, and takes headers of any size. This protocol has a deadline for each of these and
bounds on what comes before the body. A request that arrives whole, as most do, costs no timer.
"""

import json
from asyncio import TimerHandle, Transport
from enum import Enum
from http import HTTPStatus
from typing import ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.kit.edge import RAW_SECURITY_HEADERS
from service.kit.problems import MEDIA_TYPE, Problem
from service.settings import Settings

SLOWEST_BYTES_A_SECOND = 16 << 10
RETRY_SECONDS = 1


class _Part(Enum):
    """What of a request is expected next."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class Connection(HttpToolsProtocol):
    """One connection, with bounds. `settings` is set by `bounded`."""

    settings: ClassVar[Settings]

    _part = _Part.NOTHING
    _timed = _Part.NOTHING
    _deadline: TimerHandle | None = None
    _stalled: TimerHandle | None = None
    _head_bytes = 0
    _refused = False
    _at_work: RequestResponseCycle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Count it; one too many is told so and closed."""
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            self._refuse("overloaded", "Too many connections are open.")
        else:  # a client that says nothing at all
            self._arm(_Part.HEAD, self.settings.max_header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._disarm()
        self._leave_alone()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; start or stop the clock by what is still missing after them."""
        if self._refused:
            return
        super().data_received(data)
        if self._part is _Part.NOTHING:
            self._disarm()
        elif self._part is _Part.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self.settings.max_header_bytes:
                self._refuse("headers-too-large", "The request's headers are too large.")
            elif self._timed is not _Part.HEAD:
                self._arm(_Part.HEAD, self.settings.max_header_seconds)
        elif self._timed is not _Part.BODY:
            self._arm(_Part.BODY, self._body_seconds())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._part, self._head_bytes = _Part.HEAD, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Judge the head; only then does the application see the request."""
        self._part = _Part.BODY
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) > self.settings.max_url_bytes:
            self._refuse("url-too-long", "The address is too long.")
        elif size > self.settings.max_header_bytes:
            self._refuse("headers-too-large", "The request's headers are too large.")
        elif len(self.headers) > self.settings.max_header_fields:
            self._refuse("headers-too-large", "The request has too many header fields.")
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._part = _Part.NOTHING
        if not self._refused:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read: give it a while."""
        super().pause_writing()
        if self._stalled is None:
            seconds = self.settings.max_stall_seconds
            self._stalled = self.loop.call_later(seconds, self._drop)

    def resume_writing(self) -> None:
        """It reads again."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self.flow is not None:
            super().resume_writing()

    def _body_seconds(self) -> float:
        """Time for the body: what a slow line takes for the length that was declared."""
        length = self.settings.max_upload_bytes
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit():
                length = int(value)
        base, most = self.settings.min_body_seconds, self.settings.max_body_seconds
        return min(most, base + length / SLOWEST_BYTES_A_SECOND)

    def _arm(self, part: _Part, seconds: float) -> None:
        self._disarm()
        self._timed = part
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        self._timed = _Part.NOTHING
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if self._part is _Part.NOTHING:
            self.transport.close()  # nothing was asked, so nothing is answered
        else:
            self._refuse("request-timeout", "The request did not arrive in time.")

    def _drop(self) -> None:
        """Cut the connection; whoever writes to it learns that its client is gone."""
        self._refused = True
        self._leave_alone()
        self.transport.abort()
        self.resume_writing()

    def _leave_alone(self) -> None:
        """Tell the request at work that its client is gone, and start none of those behind it.

        uvicorn tells only the request that came last, which with pipelining is another one.
        """
        self.pipeline.clear()
        if self._at_work is not None:
            self._at_work.disconnected = True
            self._at_work.message_event.set()
            self._at_work = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._at_work = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, slug: str, detail: str) -> None:
        """Answer and close; only close where another answer is on its way."""
        self._refused = True
        self._disarm()
        if self.transport.is_closing():
            return
        busy = self._at_work is not None and not self._at_work.response_complete
        if busy and self._at_work is not None and self._at_work.response_started:
            self._drop()
            return
        if busy:
            self._leave_alone()
        self.transport.write(_answer(Problem(slug, detail)))
        self.transport.close()


def _answer(problem: Problem) -> bytes:
    """A problem document as the bytes of a whole response."""
    status = problem.type.status
    body = json.dumps(problem.document("", "")).encode()
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        f"content-type: {MEDIA_TYPE}".encode(),
        b"content-length: %d" % len(body),
        b"connection: close",
        *(name + b": " + value for name, value in RAW_SECURITY_HEADERS),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(b"retry-after: %d" % RETRY_SECONDS)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def bounded(settings: Settings) -> type[Connection]:
    """The protocol with these bounds, for `uvicorn.Config(http=…)`."""
    return type("BoundedConnection", (Connection,), {"settings": settings})
