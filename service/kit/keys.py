"""API keys: who may ask, decided for every address before it is looked up.

Without keys everybody who reaches the port may do everything, which is meant for loopback. With
keys nothing is open but the addresses of PUBLIC: a new route is closed by being added. Secrets are
256 random bits and kept only as SHA-256, so looking a digest up tells nothing about one.
"""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.kit.edge import answer
from service.kit.problems import Problem

PREFIX = "sig_"
PUBLIC = frozenset({"/", "/docs", "/redoc", "/livez", "/readyz", "/ping", "/v2/health/live",
                    "/v2/health/ready"})  # fmt: skip
PUBLIC_FILES = "/static/"  # of the web page; the same for everybody
FAILURES_A_MINUTE = 10
_ENTRY = re.compile(r"([a-z0-9][a-z0-9._-]{0,63}):(read|train|admin):([0-9a-f]{64})")
_READS = {"GET", "HEAD", "OPTIONS"}
_ASKS = re.compile(r".*(/predict|:predict|/infer|/invocations|/evaluate|/explain|/validate)")
_MOST_ADDRESSES = 10_000


class Scoped(IntEnum):
    """What a key is good for; each includes those before it."""

    READ = 1  # look at everything, ask for predictions
    TRAIN = 2  # create, change and delete data sets, jobs and models
    ADMIN = 3  # backups and webhooks


class KeysInvalid(ValueError):
    """The setting cannot be read; the message never repeats it."""


@dataclass(frozen=True)
class Caller:
    """Whose key it was."""

    name: str
    scope: Scoped


@dataclass
class Keyring:
    """The keys of the setting, by digest."""

    callers: dict[bytes, Caller] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.callers)

    def caller(self, authorization: bytes | None) -> Caller | None:
        """Whose key the Authorization header shows; None for nobody's."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return None
        return self.callers.get(hashlib.sha256(authorization[7:].strip()).digest())


def keyring(text: str) -> Keyring:
    """Read `name:scope:sha256` entries, separated by spaces or commas. Raises KeysInvalid."""
    callers = {}
    for number, entry in enumerate(re.split(r"[\s,]+", text.strip()) if text.strip() else [], 1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise KeysInvalid(
                f"entry {number} is not name:scope:sha256, with a scope of read, train or admin "
                "and 64 hexadecimal digits; `sigmoid key` makes one"
            )
        callers[bytes.fromhex(match[3])] = Caller(match[1], Scoped[match[2].upper()])
    return Keyring(callers)


def new_secret() -> str:
    """A fresh secret: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def entry(name: str, scope: str, secret: str) -> str:
    """What stands in the setting for a secret. Raises KeysInvalid for a bad name or scope."""
    made = f"{name}:{scope}:{hashlib.sha256(secret.encode()).hexdigest()}"
    keyring(made)
    return made


class Failures:
    """How often an address came with a wrong key in the last minute."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, int]] = {}

    def note(self, address: str) -> int:
        """Count one; returns the seconds to wait when there were too many, else 0."""
        clock = time.monotonic()
        since, count = self._seen.get(address, (clock, 0))
        if clock - since >= 60:
            since, count = clock, 0
        if len(self._seen) >= _MOST_ADDRESSES:
            self._seen.clear()
        self._seen[address] = (since, count + 1)
        return 0 if count < FAILURES_A_MINUTE else max(1, round(60 - (clock - since)))


class Doorkeeper:
    """Pure ASGI middleware: nobody without a key comes further."""

    def __init__(self, app: ASGIApp, keys: Keyring) -> None:
        self.app = app
        self.keys = keys
        self._failures = Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer 401, 403 or 429."""
        if scope["type"] != "http" or not self.keys or is_public(scope):
            await self.app(scope, receive, send)
            return
        try:
            caller = self._admit(scope)
        except Problem as problem:
            await answer(problem, scope, send)
            return
        scope.setdefault("state", {}).update(caller=caller.name, rights=caller.scope)
        await self.app(scope, receive, send)

    def _admit(self, scope: Scope) -> Caller:
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) > 1:
            raise Problem("malformed-request", "Send one Authorization header.")
        caller = self.keys.caller(shown[0] if shown else None)
        if caller is None:
            raise self._stranger(scope, bool(shown))
        if caller.scope < needed(scope["method"], scope["path"]):
            raise _insufficient("train")
        return caller

    def _stranger(self, scope: Scope, has_tried: bool) -> Problem:
        if has_tried:
            seconds = self._failures.note((scope.get("client") or ("",))[0])
            if seconds:
                detail = "Too many wrong keys came from this address."
                return Problem("rate-limited", detail, headers={"Retry-After": str(seconds)})
        detail = "Send a valid key as `Authorization: Bearer sig_…`."
        return Problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def is_public(scope: Scope) -> bool:
    """Whether the address is open to everybody."""
    path: str = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path in PUBLIC or path.startswith(PUBLIC_FILES))


def needed(method: str, path: str) -> Scoped:
    """The least that a request needs before routing; some routes ask for more."""
    is_question = method == "POST" and _ASKS.fullmatch(path)
    return Scoped.READ if method in _READS or is_question else Scoped.TRAIN


def _insufficient(scope: str) -> Problem:
    return Problem("insufficient-scope", f"This needs a key with the scope `{scope}`.")


def _require_admin(request: Request) -> None:
    if getattr(request.state, "rights", Scoped.ADMIN) < Scoped.ADMIN:
        raise _insufficient("admin")


ADMIN: Any = Depends(_require_admin)
