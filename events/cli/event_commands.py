"""The commands that tell: `publish event`, `publish artifact` and `watch-claim`, as they are typed."""

# ruff: noqa: PLC0415 - commands import what they need when they run, so that --help and completion are quick
from pathlib import Path
from typing import Annotated, Literal

import typer

from events.cli import options as opt

publish = typer.Typer(help="Publish events to the broker.", no_args_is_help=True)

_Strategy = Annotated[
    Literal["rolling", "replace"],
    typer.Option(
        "--strategy", help="rolling: the old pod serves until the new one has loaded. replace: it goes first."
    ),
]
_Formats = Annotated[
    bool, typer.Option("--format-check/--no-format-check", help="Refuse a file that can't be what its name says.")
]


@publish.command()
def event(
    type_: Annotated[
        str, typer.Argument(metavar="TYPE", help="An event of docs/events.md; `stop-requested` is enough.")
    ],
    *,
    data: Annotated[str, typer.Option("--data", "-d", help="JSON, @FILE, or @- for stdin.")] = "{}",
    subject: Annotated[str | None, typer.Option("--subject", help="namespaces/NS/inferenceservices/NAME.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Instead of --subject: NAMESPACE/NAME.")] = None,
    namespace: opt.Namespace = None,
    kind: opt.KindName = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Default: a new one. The same id counts once.")] = None,
    source: Annotated[str, typer.Option("--source", help="The sender, as a URI reference.")] = "/modelswitch/cli",
    correlation_id: Annotated[str | None, typer.Option("--correlation-id", help="Id of the original request.")] = None,
    sink: opt.Sink = opt.DEFAULT_SINK,
    json: opt.Json = False,
) -> None:
    """Publish any event of the contract."""
    from events.cli import publishing

    selection = opt.Selection((model,) if model else (), namespace, kind)
    publishing.publish(
        publishing.Publication(type_, subject, selection, data, event_id, source, correlation_id, sink, json)
    )


@publish.command()
def artifact(
    uri: Annotated[str, typer.Argument(metavar="URI", help="As the model's storageUri has it: pvc://CLAIM/FOLDER.")],
    *,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            envvar="MODELSWITCH_NAMESPACE",
            help="Where the claim is; default: this pod's own. Not pvc://: only models there; default: all.",
        ),
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--path", help="Where it is mounted here: it is read and checked.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--digest", help="sha256:…; with --path: what should be there, else refused.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", min=0, help="Bytes of all files; likewise.")] = None,
    success_file: Annotated[
        bool | None,
        typer.Option(
            "--success-file/--no-success-file",
            help="Wait for a _SUCCESS file, written last; or ignore it. Default: use it if present.",
        ),
    ] = None,
    stable: Annotated[
        str,
        typer.Option("--stable", help="Without _SUCCESS: complete when unchanged for this long. 0s: already complete."),
    ] = "30s",
    wait: Annotated[str, typer.Option("--wait", help="How long to wait until it is complete.")] = "10m",
    format_check: _Formats = True,
    strategy: _Strategy = "rolling",
    reason: Annotated[
        str | None, typer.Option("--reason", help="Reason (shown to users who see the model reload).")
    ] = None,
    written_by: Annotated[str | None, typer.Option("--written-by", help="Who wrote it, for the audit.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Default: a new one. The same id counts once.")] = None,
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm",
            help="Then ask the API for so long which models load it. Needs the right to list all InferenceServices.",
        ),
    ] = None,
    server: opt.Server = opt.DEFAULT_SERVER,
    token_file: opt.TokenFile = None,
    sink: opt.Sink = opt.DEFAULT_SINK,
    json: opt.Json = False,
) -> None:
    """Publish that an artifact was written: the models that it belongs to load it.

    Exit code 2, and nothing is published: it is missing, empty, still being written, or no file of its format.
    Exit code 1: it is not what --digest and --size say (that is published, so that the refusal is audited); with --confirm
    also: no model loads it, or it was refused. Exit code 5: --confirm heard nothing of it in that time.
    """
    from events.artifact import Strategy
    from events.artifacts.settling import Rule
    from events.cli import artifacts
    from events.cli.names import seconds

    rule = Rule(success_file, seconds(stable, "--stable"), seconds(wait, "--wait"), digest, size)
    telling = artifacts.Telling(Strategy(strategy), reason, written_by, event_id, sink, json)
    asked = (
        None
        if confirm is None
        else artifacts.Confirmation(seconds(confirm, "--confirm"), opt.Connection(server, token_file))
    )
    artifacts.publish(artifacts.Order(uri, namespace, path, rule, format_check, telling, asked))


def watch_claim(
    *,
    claim: Annotated[str, typer.Option("--claim", help="Name of the PersistentVolumeClaim.")],
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", envvar="MODELSWITCH_NAMESPACE", help="Its namespace; default: this pod's own."
        ),
    ] = None,
    path: Annotated[Path, typer.Option("--path", help="Where it is mounted; read-only is enough.")] = Path("/claim"),
    every: Annotated[str, typer.Option("--every", help="How often to look.")] = "5s",
    stable: Annotated[
        str, typer.Option("--stable", help="Without _SUCCESS: complete when unchanged for this long.")
    ] = "15s",
    artifact: Annotated[
        list[str] | None, typer.Option("--artifact", help="A path on the claim, again for each. Default: find them.")
    ] = None,
    format_check: _Formats = True,
    strategy: _Strategy = "rolling",
    sink: opt.Sink = opt.DEFAULT_SINK,
    json: opt.Json = False,
) -> None:
    """Publish each new artifact on a claim, until ended. One per claim; it writes nothing there."""
    from events.artifact import Strategy
    from events.cli import claims
    from events.cli.names import seconds

    claims.watch(
        claims.Order(
            claim,
            namespace,
            path,
            tuple(artifact or ()),
            seconds(every, "--every"),
            seconds(stable, "--stable"),
            format_check,
            Strategy(strategy),
            sink,
            json,
        )
    )
