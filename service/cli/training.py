"""`sigmoid train`: a table goes up, a job runs, its result is printed."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from service.cli.client import Client, Json
from service.cli.progress import watch
from service.cli.report import print_training, say, settle


def train(url: str, file: Path, options: Mapping[str, object], *, as_json: bool) -> None:
    """Train on `file` and print the result. Progress goes to stderr, the result to stdout."""
    progress = Console(stderr=True)
    with Client(url) as client:
        dataset = client.upload(file)
        job = client.post("/v1/jobs", {"dataset": dataset["id"], **options})
        if not as_json:
            rows, columns = dataset["rows"], len(dataset["columns"])
            say(progress, f"{file.name}: {rows:,} rows, {columns} columns, {job['task']}")
        for warning in job["warnings"]:
            say(progress, f"note: {warning['message']}")
        job = _follow(client, job, progress, quiet=as_json)
    if as_json:
        json.dump(job, sys.stdout)
        sys.stdout.write("\n")
    result = settle(job)
    if not as_json:
        print_training(Console(), job, result, f"{client.url}/v1/models/{result['model']}")


def _follow(client: Client, job: Json, progress: Console, *, quiet: bool) -> Json:
    """The job as it ended. Ctrl-C cancels it, for nobody is left to want it."""
    try:
        if quiet:
            return next(data for kind, data in client.follow(job["id"]) if kind == "done")
        return watch(client, job, progress).job
    except KeyboardInterrupt:
        client.post(f"/v1/jobs/{job['id']}/cancel")
        say(progress, f"{job['id']} is being cancelled.")
        raise
