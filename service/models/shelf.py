"""Models ready to predict: which version a name means now, and the loaded networks, in memory."""

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelInvalid
from core.files import load
from core.model import Model
from service.kit.database import Database
from service.kit.problems import Problem
from service.models import store

FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Shelved:
    """A model version that can answer at once."""

    name: str
    version: int
    model: Model


class Shelf:
    """Resolves names through the database at most once a second, and at once after a doorbell.

    Versions never change, so a loaded one is never stale; the least recently used are dropped.
    """

    def __init__(self, database: Database, folder: Path, capacity: int) -> None:
        self._database = database
        self._folder = folder
        self._capacity = capacity
        self._resolved: dict[tuple[str, int | None], tuple[float, int, str]] = {}
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    def forget_names(self) -> None:
        """Look names up anew: something was published or deleted."""
        self._resolved.clear()

    def at_hand(self, name: str, version: int | None) -> Shelved | None:
        """The model when no file or database is needed for it; else None, and `fetch` it."""
        known = self._resolved.get((name, version))
        if known is None or known[0] < time.monotonic():
            return None
        model = self._loaded.get(known[2])
        return None if model is None else Shelved(name, known[1], model)

    def fetch(self, name: str, version: int | None) -> Shelved:
        """The model, read if need be. Raises Problem not-found or model-unreadable."""
        with self._database.read() as session:
            row = store.version(session, name, version)
        model = self._load(row.sha256)
        if len(self._resolved) > 100_000:
            self._resolved.clear()
        self._resolved[name, version] = (time.monotonic() + FRESH_SECONDS, row.version, row.sha256)
        return Shelved(name, row.version, model)

    def _load(self, sha256: str) -> Model:
        with self._lock:
            if sha256 in self._loaded:
                self._loaded.move_to_end(sha256)
                return self._loaded[sha256]
            model = self._read(sha256)
            self._loaded[sha256] = model
            while len(self._loaded) > self._capacity:
                self._loaded.popitem(last=False)
            return model

    def _read(self, sha256: str) -> Model:
        try:
            content = (self._folder / f"{sha256}.safetensors").read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                raise ModelInvalid("its checksum does not fit")
            return load(content)
        except (OSError, ModelInvalid) as error:
            detail = (
                "The file of this version is missing or damaged. Retrain it or restore a backup."
            )
            raise Problem("model-unreadable", detail, headers={"Retry-After": "60"}) from error
