"""The commands and their options, as `sigmoid --help` shows them. Work is imported on demand."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli.exits import CODES, CommandError, ExitCode

app = typer.Typer(
    help="Train a neural network from a table and serve it over HTTP.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config = typer.Typer(help="The service's settings.", no_args_is_help=True)
app.add_typer(config, name="config")

Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one. [SIGMOID_PORT]"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [SIGMOID_HOST]")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the database, data sets and models. [SIGMOID_DATA_DIR]"),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Jobs that train at the same time. [SIGMOID_WORKERS]"),
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="SIGMOID_URL", help="Address of the service; default: the one `sigmoid serve` has."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the service's answer as JSON, and nothing else.")
]


def run() -> int:
    """Run the command line; the exit code."""
    try:
        app(prog_name="sigmoid")
    except CommandError as error:
        sys.stderr.write(f"sigmoid: {error}\n")
        return error.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else ExitCode.DONE
    return ExitCode.DONE


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"sigmoid {version('sigmoid')}")
        raise typer.Exit


@app.callback()
def sigmoid(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train a neural network from a table and serve it over HTTP."""


@app.command(epilog=CODES)
def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    workers: Workers = None,
    api_only: Annotated[bool, typer.Option("--api-only", help="Start no workers here.")] = False,
) -> None:
    """Start the service: the HTTP API and the workers that train, until Ctrl-C."""
    from service.cli.serving import serve

    serve(api=True, work=not api_only, host=host, port=port, data_dir=data_dir, workers=workers)


@app.command(epilog=CODES)
def worker(data_dir: DataDir = None, workers: Workers = None) -> None:
    """Start workers only, beside an API on the same database, until Ctrl-C."""
    from service.cli.serving import serve

    serve(api=False, work=True, data_dir=data_dir, workers=workers)


@app.command(epilog=CODES)
def train(
    file: Annotated[
        Path,
        typer.Argument(
            help="The table: .csv .tsv .json .ndjson .parquet or .arrow, also with .gz or .zst.",
            exists=True,
            dir_okay=False,
        ),
    ],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    model: Annotated[
        str | None, typer.Option(help="Name to publish under; default: from the target.")
    ] = None,
    task: Annotated[str, typer.Option(help="auto, regression, binary or multiclass.")] = "auto",
    layers: Annotated[
        str | None,
        typer.Option(help="Hidden layers, as in 16:sigmoid,8:tanh; none for a linear model."),
    ] = None,
    optimizer: Annotated[str, typer.Option(help="adam or sgd.")] = "adam",
    learning_rate: Annotated[float | None, typer.Option(help="Step size of the optimiser.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training rows.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows of one step.")] = None,
    l2: Annotated[float | None, typer.Option(min=0, help="Weight decay.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=0, help="Epochs without a better validation loss before it stops; 0: never."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For the same weights again.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Upload a table, train a network on it, and show how it learns. Ctrl-C cancels the job."""
    from service.cli.configuration import service_url
    from service.cli.training import train
    from service.cli.values import job_options

    options = job_options(
        target=target, model=model, task=task, layers=layers, optimizer=optimizer,
        learning_rate=learning_rate, epochs=epochs, batch_size=batch_size, l2=l2,
        patience=patience, seed=seed,
    )  # fmt: skip
    train(url or service_url(), file, options, as_json=as_json)


@app.command(epilog=CODES)
def predict(
    model: Annotated[str, typer.Argument(help="The model: NAME, or NAME@VERSION.")],
    row: Annotated[
        list[str] | None, typer.Option(help="A row, as in 'a=1,b=x'. May be repeated.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Rows: .csv .tsv .json or .ndjson.", exists=True, dir_okay=False),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model for predictions. Piped: row, prediction and probability, tab-separated."""
    from service.cli.configuration import service_url
    from service.cli.predicting import predict

    predict(url or service_url(), model, row or [], file, as_json=as_json)


@app.command(epilog=CODES)
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop after the printout.")] = False,
) -> None:
    """Start the service, train on the Palmer penguins and show what came of it, until Ctrl-C."""
    from service.cli.demo import demo

    demo(leave=leave)


@app.command(epilog=CODES)
def key(
    name: Annotated[str, typer.Argument(help="Whose key: letters, digits, dot, dash.")],
    scope: Annotated[str, typer.Option(help="read, train or admin; each includes the former.")] = (
        "train"
    ),
) -> None:
    """Make an API key. Prints the secret, once, and what goes into SIGMOID_API_KEYS."""
    from service.kit.keys import KeysInvalid, entry, new_secret

    secret = new_secret()
    try:
        made = entry(name, scope, secret)
    except KeysInvalid as error:
        raise CommandError(f"{error}.", ExitCode.USAGE) from None
    typer.echo(f"secret, for the caller (SIGMOID_API_KEY): {secret}")
    typer.echo(f"entry, for the service (SIGMOID_API_KEYS): {made}")


@config.command("show", epilog=CODES)
def config_show(as_json: AsJson = False) -> None:
    """Print every setting, where its value comes from and what it is for. Secrets are masked."""
    from service.cli.configuration import show

    show(as_json=as_json)
