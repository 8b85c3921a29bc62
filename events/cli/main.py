"""Stop, start and watch the models that KServe serves.

Exit codes: 0 done · 1 the model is in error, or the request was refused · 2 usage · 3 not reachable ·
4 not authorised · 5 timed out waiting · 130 interrupted (what was asked for goes on).
"""

# ruff: noqa: PLC0415 - commands import what they need when they run, so that --help and completion are quick
import functools
import os
import signal
import sys
from enum import StrEnum
from importlib.metadata import entry_points
from typing import Annotated, Any, NoReturn

import typer

from events.cli import options as opt
from events.cli.event_commands import publish, watch_claim
from events.cli.exits import CliError, Exit
from events.errors import ModelswitchError

app = typer.Typer(
    name="modelswitch",
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        try:
            typer.echo(f"modelswitch {metadata.version('modelswitch')}")
        except metadata.PackageNotFoundError as error:
            raise CliError(Exit.REFUSED, "the version is unknown", "Install modelswitch with pip.") from error
        raise typer.Exit


@app.callback(help=__doc__)
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", "-V", is_eager=True, callback=_tell_version, help="Show the version and exit.")
    ] = False,
) -> None: ...


class Via(StrEnum):
    REST = "rest"
    BROKER = "broker"


_COMMANDS = "modelswitch.commands"
_Way = Annotated[Via, typer.Option("--via", help="rest: ask the API and get an answer. broker: publish the command.")]


@app.command()
def stop(
    names: opt.Names,
    *,
    namespace: opt.Namespace = None,
    kind: opt.KindName = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="How long requests in flight may take: 1s to 1h. Default: 30s.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Stop at once and abort requests in flight.")] = False,
    reason: opt.Reason = None,
    promote_canary: Annotated[
        bool, typer.Option("--promote-canary", help="Accept that the next start sends all traffic to the canary.")
    ] = False,
    wait: opt.Wait = None,
    wait_timeout: opt.WaitTimeout = "15m",
    via: _Way = Via.REST,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    sink: opt.Sink = opt.DEFAULT_SINK,
    json: opt.Json = False,
) -> None:
    """Stop models: no pod is left, no request wakes them, their configuration stays."""
    from events.cli import steering

    fields: dict[str, Any] = {"graceful": not force, "reason": reason, "promote_canary": promote_canary}
    if timeout is not None:
        fields["timeout"] = timeout
    steering.stop(
        fields,
        opt.Selection(tuple(names), namespace, kind),
        opt.Manner(via is Via.BROKER, sink, wait, wait_timeout, json),
        opt.Connection(server, token_file),
    )


@app.command()
def start(
    names: opt.Names,
    *,
    namespace: opt.Namespace = None,
    kind: opt.KindName = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Where the model is still stopping: start it when the last pod is gone.")
    ] = False,
    no_autoscaling: Annotated[
        bool, typer.Option("--no-autoscaling", help="Start without the autoscaler, where KServe allows that.")
    ] = False,
    reason: opt.Reason = None,
    wait: opt.Wait = None,
    wait_timeout: opt.WaitTimeout = "15m",
    via: _Way = Via.REST,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    sink: opt.Sink = opt.DEFAULT_SINK,
    json: opt.Json = False,
) -> None:
    """Start models as they were."""
    from events.cli import steering

    steering.start(
        {"restore_autoscaling": not no_autoscaling, "reason": reason},
        queue,
        opt.Selection(tuple(names), namespace, kind),
        opt.Manner(via is Via.BROKER, sink, wait, wait_timeout, json),
        opt.Connection(server, token_file),
    )


@app.command()
def status(
    name: opt.Name,
    *,
    namespace: opt.Namespace = None,
    kind: opt.KindName = None,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    json: opt.Json = False,
) -> None:
    """Show what is true of a model now."""
    from events.cli import reading

    reading.status(opt.Selection((name,), namespace, kind), opt.Connection(server, token_file), as_json=json)


@app.command("list")
def list_(
    *,
    namespace: opt.Namespace = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Every namespace; ignores MODELSWITCH_NAMESPACE.")
    ] = False,
    state: Annotated[str | None, typer.Option("--state", help="running, stopping, stopped, starting or error.")] = None,
    kind: opt.KindName = None,
    selector: Annotated[str | None, typer.Option("--selector", "-l", help="A label: key=value.")] = None,
    sort: Annotated[
        opt.Sort,
        typer.Option(
            "--sort", help="name; urgency: errors first, stopped models last; since: the latest change first."
        ),
    ] = opt.Sort.NAME,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    json: opt.Json = False,
) -> None:
    """List models."""
    from events.cli import reading

    wanted = reading.filters(None if all_namespaces else namespace, state, kind, selector)
    reading.list_models(wanted, opt.Connection(server, token_file), sort=sort, as_json=json)


@app.command()
def watch(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this model.")] = None,
    *,
    namespace: opt.Namespace = None,
    kind: opt.KindName = None,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    json: opt.Json = False,
) -> None:
    """Show the models' states and every change, until interrupted."""
    from events.cli import watching

    selection = opt.Selection((name,) if name else (), namespace, kind)
    watching.watch(selection, opt.Connection(server, token_file), as_json=json)


app.add_typer(publish, name="publish")
app.command("watch-claim")(watch_claim)


@functools.cache
def _add_installed_commands() -> None:
    """Adds the commands that installed packages offer as entry points, such as those that talk to the cluster itself."""
    for entry_point in sorted(entry_points(group=_COMMANDS)):
        app.add_typer(entry_point.load())


def run() -> NoReturn:
    """The `modelswitch` command."""
    signal.signal(signal.SIGINT, _interrupted)
    _add_installed_commands()
    try:
        app(prog_name="modelswitch")
    except ModelswitchError as error:
        end = error if isinstance(error, CliError) else CliError(Exit.REFUSED, error.message, error.next_action)
        sys.stderr.write((end.as_json() if "--json" in sys.argv else end.as_text()) + "\n")
        sys.exit(end.exit_code)
    except BrokenPipeError:
        # The process that read the output has exited; Python's flush at exit must not report that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)
    sys.exit(Exit.DONE)


def _interrupted(_signal: int, _frame: object) -> NoReturn:
    raise CliError(Exit.INTERRUPTED, "interrupted", "A command that was sent continues; see `modelswitch status`.")


if __name__ == "__main__":
    run()
