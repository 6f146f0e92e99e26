"""The README's walk is run line by line against a real service, and must print what it says."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.conftest import wait_until

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
BOUNDARY = "--- the next step ---"


@dataclass(frozen=True)
class Step:
    """Commands, and what they are said to print."""

    commands: str
    printed: list[str]


def walk() -> list[Step]:
    """The steps of the README, in order."""
    section = README.split("## A walk with curl")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```\n```text\n(.*?)```", section, re.DOTALL)
    return [Step(commands, printed.splitlines()) for commands, printed in blocks]


def pattern(line: str) -> str:
    """A line of the README as a regular expression: `…` is anything, also at its end."""
    return ".*".join(re.escape(part) for part in line.rstrip("…").split("…"))


def run(script: str, folder: Path) -> str:
    samples = folder / "service" / "datasets"
    samples.mkdir(parents=True)
    (samples / "samples").symlink_to(ROOT / "service" / "datasets" / "samples")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def warm(client: httpx2.Client) -> None:
    """A first job has ended: the kernels are compiled, as the README says they are."""
    table = client.post("/v1/datasets/generate", json={"kind": "linear", "seed": 99}).json()["id"]
    job = client.post("/v1/jobs", json={"dataset": table, "target": "y", "model": "warm"}).json()
    wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "succeeded", 200)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("warm")
def test_every_step_of_the_walk_prints_what_the_readme_says(server: str, tmp_path: Path) -> None:
    steps = walk()
    commands = f"\necho; echo '{BOUNDARY}'\n".join(step.commands for step in steps)
    assert commands.count(ADDRESS) == 1
    printed = run(commands.replace(ADDRESS, server), tmp_path).split(BOUNDARY)
    assert len(printed) == len(steps)
    for step, output in zip(steps, printed, strict=True):
        expected = ".*?".join(pattern(line) for line in step.printed)
        assert re.search(expected, output, re.DOTALL), f"{step.commands}\nprinted\n{output}"


def test_every_block_of_commands_in_the_walk_says_what_it_prints() -> None:
    assert README.count("```sh\n") == len(walk())


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("warm")
def test_the_predicted_value_of_the_line_is_two_x_plus_one(server: str, tmp_path: Path) -> None:
    *_, step = walk()
    output = run(f"BASE={server}\n{step.commands}", tmp_path)
    value = re.search(r'"value":([-\d.e]+)', output)
    assert value is not None
    assert float(value[1]) == pytest.approx(2 * 0.5 + 1, abs=0.1)


def test_the_map_names_every_module_of_the_core_and_only_what_exists() -> None:
    section = README.split("## The map of the code")[1].split("\n## ")[0]
    named = set(re.findall(r"\b([a-z_]+\.py)\b", section))
    core = {path.name for path in (ROOT / "core").glob("*.py")} - {"__init__.py"}
    hidden = {"compilation.py", "elementwise.py", "errors.py"}
    assert core - hidden <= named
    files = {path.name for part in ("core", "service") for path in (ROOT / part).rglob("*.py")}
    assert named <= files


def test_the_map_names_every_folder_of_the_service() -> None:
    section = README.split("## The map of the code")[1].split("\n## ")[0]
    folders = {path.parent.name for path in (ROOT / "service").glob("*/__init__.py")}
    assert folders <= set(re.findall(r"\b([a-z_]+)/", section))
