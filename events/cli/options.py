"""Options that several commands share, and what they say in --help. Light: this is read on every start."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_SERVER = "http://127.0.0.1:8080"
DEFAULT_SINK = "http://127.0.0.1:8081"
_CONNECTION = "Connection"

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Models, as NAME or NAMESPACE/NAME.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model, as NAME or NAMESPACE/NAME.")]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", envvar="MODELSWITCH_NAMESPACE", help="Namespace of names that carry none."),
]
KindName = Annotated[
    str | None,
    typer.Option("--kind", help="InferenceService (isvc), LLMInferenceService (llmisvc) or InferenceGraph (ig)."),
]
Server = Annotated[
    str,
    typer.Option("--server", envvar="MODELSWITCH_URL", help="Address of the REST API.", rich_help_panel=_CONNECTION),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="MODELSWITCH_TOKEN_FILE",
        help="File with the bearer token; MODELSWITCH_TOKEN holds the token itself.",
        rich_help_panel=_CONNECTION,
    ),
]
Sink = Annotated[
    str,
    typer.Option("--sink", envvar="K_SINK", help="Address of the broker.", rich_help_panel=_CONNECTION),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout; errors as JSON on stderr.")]
Wait = Annotated[
    bool | None,
    typer.Option("--wait/--no-wait", help="Wait for the end. Default: wait over REST, not with --via broker."),
]
WaitTimeout = Annotated[str, typer.Option("--wait-timeout", help="How long to wait at most: 30s, 5m, 1h.")]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Reason (shown on the model's page and in the audit log).")
]


class Sort(StrEnum):
    """The order of a list."""

    NAME = "name"
    URGENCY = "urgency"
    SINCE = "since"


@dataclass(frozen=True)
class Connection:
    """Where the API is and who asks."""

    server: str
    token_file: Path | None = None


@dataclass(frozen=True)
class Selection:
    """Which models are meant, as typed."""

    names: tuple[str, ...]
    namespace: str | None
    kind: str | None


@dataclass(frozen=True)
class Manner:
    """How a command goes out and what is waited for. `wait` None: the way's default."""

    via_broker: bool
    sink: str
    wait: bool | None
    wait_timeout: str
    json: bool
