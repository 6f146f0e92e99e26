"""`python -m benchmarks.peers install`: environments of their own for the peers, by uv."""

import subprocess
import sys
from pathlib import Path

from benchmarks.peers import FOLDER, PEERS


def install() -> int:
    """Install the newest releases; returns how many could not be."""
    uv, failed = str(Path(sys.executable).parent / "uv"), 0
    for peer in PEERS:
        folder = FOLDER / peer.name
        commands = [
            [uv, "venv", "-q", "--clear", str(folder)],
            [uv, "pip", "install", "-q", "--python", str(folder), *peer.requirements],
        ]
        done = all(subprocess.run(command, timeout=900).returncode == 0 for command in commands)
        print(f"{peer.name}: {'installed' if done else 'could not be installed'}", flush=True)
        failed += not done
    return failed


if __name__ == "__main__":
    sys.exit(install() if sys.argv[1:] == ["install"] else f"{__doc__}")
