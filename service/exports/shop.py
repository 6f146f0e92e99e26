"""Exports that are made already, and the making of those that are not."""

import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core.export.formats import FORMATS
from service.exports import NOT_EXPORTABLE
from service.kit.problems import Problem
from service.models.registry import file_of
from service.settings import Settings
from service.tables import ModelVersion

KEPT = 400  # files; the oldest go
SECONDS = 120.0
SUFFIXES = {name: format.suffix for name, format in FORMATS.items()} | {
    "safetensors": "safetensors"
}
MEDIA_TYPES = {name: format.media_type for name, format in FORMATS.items()} | {
    "safetensors": "application/vnd.safetensors"
}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Export:
    """A file and its certificate."""

    content: bytes
    certificate: dict[str, Any]
    filename: str
    media_type: str


def export(settings: Settings, row: ModelVersion, name: str) -> Export:
    """The version in a format, made if need be. Raises Problem export-unsupported or overloaded."""
    folder = settings.folder("exports")
    facts = f"{row.model}:{row.version}:{row.sha256}:{name}:{version('sigmoid')}"
    key = hashlib.sha256(facts.encode()).hexdigest()
    target, certificate = folder / f"{key}.{SUFFIXES[name]}", folder / f"{key}.certificate.json"
    if not (certificate.exists() and target.exists()):
        if not _one_at_a_time.acquire(timeout=SECONDS):
            raise Problem(
                "overloaded", "Other exports are being made.", headers={"Retry-After": "5"}
            )
        try:
            if not (certificate.exists() and target.exists()):
                _make(settings, row, name, target, certificate)
                _prune(folder)
        finally:
            _one_at_a_time.release()
    filename = f"{row.model}-{row.version}.{SUFFIXES[name]}"
    told = json.loads(certificate.read_bytes())
    return Export(target.read_bytes(), told, filename, MEDIA_TYPES[name])


def _make(
    settings: Settings, row: ModelVersion, name: str, target: Path, certificate: Path
) -> None:
    dataset = row.lineage.get("dataset_sha256")
    task = {
        "format": name,
        "title": {"model": row.model, "version": row.version, "sha256": row.sha256},
        "model_path": str(file_of(settings.folder("models"), row.sha256)),
        "dataset_path": str(settings.folder("datasets") / f"{dataset}.parquet")
        if dataset
        else None,
        "target": str(target),
        "certificate": str(certificate),
    }
    try:
        found = subprocess.run(
            [sys.executable, "-m", "service.exports.making"],
            input=json.dumps(task), capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Problem(
            "overloaded", "The export took too long.", headers={"Retry-After": "30"}
        ) from error
    if found.returncode == NOT_EXPORTABLE:
        raise Problem("export-unsupported", found.stdout.strip())
    if found.returncode:
        raise RuntimeError(f"an export as {name} failed: {found.stderr[-2000:]}")


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT:]:
        path.unlink(missing_ok=True)
