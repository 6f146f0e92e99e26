"""The HTTP API as the commands call it: JSON in and out, failures as CommandError."""

import ipaddress
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from service.cli.exits import CommandError, ExitCode

Json = dict[str, Any]
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".feather": "application/vnd.apache.arrow.stream",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_RECONNECT_SECONDS = 30.0  # the supervisor brings a dead API back in about one


class NobodyThere(CommandError):
    """Nothing listens at the address."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"No service answers at {url}. Start one with: sigmoid serve", ExitCode.UNREACHABLE
        )


class Client:
    """One service, by its address. Use as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        key = os.environ.get("SIGMOID_API_KEY", "").strip()
        # A proxy set for the world outside must not stand between us and our own machine.
        self._http = httpx2.Client(
            base_url=self.url,
            timeout=60.0,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not _is_here(httpx2.URL(self.url).host),
        )

    def __enter__(self) -> "Client":
        """Open for the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: str | int) -> Json:
        """The document at `path`."""
        return self._json(self._send("GET", path, params=query))

    def find(self, path: str) -> Json | None:
        """The document at `path`, or None when the service says 404."""
        response = self._send("GET", path)
        return None if response.status_code == 404 else self._json(response)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """What the service answers to `body`."""
        return self._json(self._send("POST", path, json=body))

    def upload(self, file: Path) -> Json:
        """Send a table as it is, from the disk; the service's description of it."""
        stem, compression = file.name, COMPRESSIONS.get(file.suffix.lower())
        if compression is not None:
            stem = file.stem
        kind = MEDIA_TYPES.get(Path(stem).suffix.lower())
        if kind is None:
            known = " ".join(MEDIA_TYPES)
            raise CommandError(
                f"{file}: the name does not tell the format. Known: {known}, also with .gz or .zst",
                ExitCode.USAGE,
            )
        headers = {"Content-Type": kind}
        if compression is not None:
            headers["Content-Encoding"] = compression
        try:
            with file.open("rb") as content:
                return self._json(
                    self._send(
                        "POST",
                        "/v1/datasets",
                        params={"name": Path(stem).stem},
                        content=content,
                        headers=headers,
                    )
                )
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", ExitCode.USAGE) from None

    def follow(self, job_id: str) -> Iterator[tuple[str, Json]]:
        """Every event of a job until it ends, as (kind, data).

        Reconnects, for the service may restart. Then epochs come again from the first; take them
        by their number.
        """
        last_id, deadline = "", time.monotonic() + _RECONNECT_SECONDS
        while True:
            headers = {"Accept": "text/event-stream"} | (
                {"Last-Event-ID": last_id} if last_id else {}
            )
            try:
                with self._http.stream(
                    "GET", f"/v1/jobs/{job_id}/stream", headers=headers
                ) as response:
                    if response.status_code >= 400:
                        response.read()
                        raise _refused(response)
                    for event in httpx2.EventSource(response, max_event_size=None):
                        last_id, deadline = (
                            event.id or last_id,
                            time.monotonic() + _RECONNECT_SECONDS,
                        )
                        yield event.event, json.loads(event.data)
                        if event.event == "done":
                            return
            except httpx2.TransportError as error:
                if time.monotonic() > deadline:
                    raise self._unreachable(error) from None
            time.sleep(0.2)

    def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None

    def _json(self, response: httpx2.Response) -> Json:
        if response.status_code >= 400:
            raise _refused(response)
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CommandError(f"{self.url} does not answer as Sigmoid does.", ExitCode.UNREACHABLE)
        return document

    def _unreachable(self, error: httpx2.TransportError) -> CommandError:
        if isinstance(error, httpx2.ConnectError):
            return NobodyThere(self.url)
        return CommandError(
            f"The connection to {self.url} broke ({type(error).__name__}).", ExitCode.UNREACHABLE
        )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(response: httpx2.Response) -> CommandError:
    """The problem document in words: its detail, then one line a field."""
    try:
        problem = response.json()
        lines = [f"{problem['detail']} (HTTP {response.status_code})"]
        lines += [
            f"  {field['pointer']}: {field['detail']}" for field in problem.get("errors") or ()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        lines = [f"The service refused: HTTP {response.status_code}."]
    return CommandError("\n".join(lines), ExitCode.FAILED)
