"""Loaded networks, in memory, within a bound: a version that is here answers at once."""

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from core.errors import ModelInvalid
from core.files import load
from core.model import Model
from service.kit.problems import Problem
from service.models.registry import file_of
from service.models.resolution import Names, Resolved, Wanted

OVERHEAD_BYTES = 64 << 10  # what a model takes beside its weights: 16 kB to 90 kB, measured


class Shelved(NamedTuple):
    """A model version that can answer at once. A tuple, for one is made a prediction."""

    name: str
    version: int
    model: Model
    sha256: str
    shadows: tuple[Resolved, ...] = ()


class Shelf:
    """The models used last, up to `capacity` bytes. Versions never change, so none is ever stale.

    A model counts with twice its file, for its weights and what is derived from them.
    """

    def __init__(self, names: Names, folder: Path, capacity: int) -> None:
        self.names = names
        self._folder = folder
        self._capacity = capacity
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self.bytes = 0  # how much is held
        self._lock = threading.Lock()

    def at_hand(self, name: str, wanted: Wanted = None, key: str | None = None) -> Shelved | None:
        """The model when no file or database is needed for it; else None, and `fetch` it."""
        resolved = self.names.at_hand(name, wanted, key)
        if resolved is None:
            return None
        model = self._loaded.get(resolved.sha256)
        if model is None:
            return None
        try:  # noqa: SIM105 - a context manager costs as much as the rest of this
            self._loaded.move_to_end(resolved.sha256)
        except KeyError:
            pass  # dropped this moment; it answers all the same
        return Shelved(name, resolved.version, model, resolved.sha256, resolved.shadows)

    def fetch(self, name: str, wanted: Wanted = None, key: str | None = None) -> Shelved:
        """The model, read if need be. Raises Problem not-found or model-unreadable."""
        resolved = self.names.find(name, wanted, key)
        try:
            model = self.load(resolved.sha256)
        except Problem:  # its file went between: the version was deleted, or is really damaged
            self.names.rung()
            resolved = self.names.find(name, wanted, key)
            model = self.load(resolved.sha256)
        return Shelved(name, resolved.version, model, resolved.sha256, resolved.shadows)

    def load(self, sha256: str) -> Model:
        """The network of a file. Raises Problem model-unreadable."""
        with self._lock:
            model = self._loaded.get(sha256)
            if model is not None:
                self._loaded.move_to_end(sha256)
                return model
            model, size = self._read(sha256)
            self._loaded[sha256] = model
            self._sizes[sha256] = size
            self.bytes += size
            while self.bytes > self._capacity and len(self._loaded) > 1:
                dropped, _ = self._loaded.popitem(last=False)
                self.bytes -= self._sizes.pop(dropped)
            return model

    def drop(self, sha256: str) -> None:
        """Free the memory of a network, if it is here."""
        with self._lock:
            if self._loaded.pop(sha256, None) is not None:
                self.bytes -= self._sizes.pop(sha256)

    def _read(self, sha256: str) -> tuple[Model, int]:
        try:
            content = file_of(self._folder, sha256).read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256:
                raise ModelInvalid("its checksum does not fit")
            return load(content), OVERHEAD_BYTES + 2 * len(content)
        except (OSError, ModelInvalid) as error:
            detail = (
                "The file of this version is missing or damaged. Retrain it or restore a backup."
            )
            raise Problem("model-unreadable", detail, headers={"Retry-After": "60"}) from error
