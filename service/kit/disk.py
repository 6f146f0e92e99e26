"""Room on the disk: asked for before something is written, so that nothing ends half-written."""

import shutil

from service.kit.problems import Problem
from service.settings import Settings


def free_bytes(settings: Settings) -> int:
    """Free space of the data folder's disk."""
    return shutil.disk_usage(settings.data_dir.resolve()).free


def has_room(settings: Settings, wanted: int = 0) -> bool:
    """Whether `wanted` more bytes leave the reserve of SIGMOID_MIN_FREE_BYTES. About 2 µs."""
    return free_bytes(settings) - wanted >= settings.min_free_bytes


def require_room(settings: Settings, wanted: int = 0) -> None:
    """Raise Problem storage-full unless there is room."""
    if not has_room(settings, wanted):
        detail = "The disk is nearly full; nothing was stored."
        raise Problem("storage-full", detail, headers={"Retry-After": "30"})
