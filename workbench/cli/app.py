"""The Typer application: the commands, and what happens to an error on its way to the shell."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from workbench import __version__
from workbench.cli import (
    alias,
    concurrency,
    cost,
    credentials,
    delete,
    deploy,
    diff,
    doctor,
    events,
    fire,
    history,
    keep_warm,
    keys,
    layers,
    listing,
    logs,
    plugins,
    prune,
    publish,
    record,
    runtime_mode,
    runtimes,
    serve,
    status,
    stop,
    tui,
    web,
)
from workbench.cli.output import say
from workbench.model.errors import WorkbenchError

app = typer.Typer(
    name="workbench",
    help="AWS Lambda on your own machine, with the lid off. Without a command: the terminal UI.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"workbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """AWS Lambda on your own machine, with the lid off. Without a command: the terminal UI."""
    import logging

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="workbench: %(message)s")
    if context.invoked_subcommand is None:
        tui.tui()


app.command("tui")(tui.tui)
app.command("web")(web.web)
app.command("serve")(serve.serve)
app.command("stop")(stop.stop)
app.command("status")(status.status)
app.command("deploy")(deploy.deploy)
app.command("destroy")(deploy.destroy)
app.command("delete")(delete.delete)
app.command("fire")(fire.fire)
app.command("list")(listing.list_functions)
app.command("publish")(publish.publish)
app.command("diff")(diff.diff)
app.add_typer(alias.app, name="alias")
app.add_typer(concurrency.app, name="concurrency")
app.add_typer(events.app, name="events")
app.add_typer(keep_warm.app, name="keep-warm")
app.command("runtime-mode")(runtime_mode.runtime_mode)
app.add_typer(runtimes.app, name="runtimes")
app.add_typer(layers.app, name="layers")
app.add_typer(plugins.app, name="plugins")
app.command("logs")(logs.logs)
app.add_typer(history.app, name="history")
app.command("cost")(cost.cost)
app.command("record")(record.record)
app.command("prune")(prune.prune)
app.command("keys")(keys.keys)
app.command("credentials")(credentials.credentials)
app.command("doctor")(doctor.doctor)


def run() -> None:
    """Run a command and end the process.

    A `WorkbenchError` becomes one message on stderr and its exit code, never a traceback.
    """
    code: object = 0
    try:
        app()
    except SystemExit as ending:
        code = ending.code
    except WorkbenchError as error:
        say(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does.
        os._exit(141)
    _leave(code if isinstance(code, int) else int(code is not None))


def _leave(code: int) -> None:
    """End without the interpreter's own tidying up: everything of ours is closed, and it takes 30 ms of a command."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 141
    os._exit(code)
