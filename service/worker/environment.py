"""Where a network was trained: what decides the last bits of its weights besides the job."""

import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "numba", "llvmlite", "scipy", "pyarrow", "safetensors")


def describe() -> dict[str, str]:
    """Interpreter, libraries, system and processor, by name."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


ENVIRONMENT = describe()
