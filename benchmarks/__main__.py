"""Measure everything and print it as Markdown.

Name some of training, jobs, sweeps, serving, registry for less.
"""

import importlib
import os
import sys
import time
from pathlib import Path


def machine() -> str:
    """The processor, its cores, and how busy they were."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"


def main() -> None:
    print(f"{time.strftime('%Y-%m-%d')}, {machine()}")
    for name in sys.argv[1:] or ("training", "jobs", "sweeps", "serving", "registry"):
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n## {name}\n\n" + "\n".join(module.measure()), flush=True)


main()
