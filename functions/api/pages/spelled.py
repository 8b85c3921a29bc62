"""The exact commands that do the same as a button: curl, command line and CloudEvent, ready to be copied."""

import json
import shlex
from dataclasses import dataclass

from events.commands import StartRequested, StopRequested
from events.model import Kind, ModelRef
from functions.settings import Settings


@dataclass(frozen=True)
class Spelled:
    curl: str
    cli: str
    event: str


def spelled(verb: str, ref: ModelRef, settings: Settings) -> Spelled:
    """`settings`: where this API and its broker are, as far as they know it themselves."""
    server = f"http://{settings.host}:{settings.port}"
    return Spelled(_curl(verb, ref, settings, server), _cli(verb, ref, settings, server), _event(verb, ref, settings))


def _curl(verb: str, ref: ModelRef, settings: Settings, server: str) -> str:
    query = "" if ref.kind is Kind.INFERENCE_SERVICE else f"?kind={ref.kind.value}"
    token = "" if settings.auth == "none" else ' \\\n  -H "Authorization: Bearer $TOKEN"'
    address = f"{_server(settings, server)}/api/v1/namespaces/{ref.namespace}/models/{ref.name}/{verb}{query}"
    return f"curl -X POST '{address}'{token} \\\n  --json {shlex.quote(json.dumps({'reason': 'why'}))}"


def _cli(verb: str, ref: ModelRef, settings: Settings, server: str) -> str:
    kind = "" if ref.kind is Kind.INFERENCE_SERVICE else f" --kind {ref.kind.value}"
    local = "" if settings.auth == "none" and settings.port == 8080 else f" --server {_server(settings, server)}"
    return f"modelswitch {verb} {ref.namespace}/{ref.name}{kind}{local} --reason why"


def _event(verb: str, ref: ModelRef, settings: Settings) -> str:
    command = StopRequested if verb == "stop" else StartRequested
    return " \\\n  ".join(
        [
            f"curl -i {settings.k_sink or 'http://BROKER'} -H 'content-type: application/json'",
            "-H 'ce-specversion: 1.0' -H \"ce-id: $(date +%s%N)\" -H 'ce-source: /me'",
            f"-H 'ce-type: {command.type}'",
            f"-H 'ce-subject: {ref.subject}'",
            f"-d {shlex.quote(json.dumps({'reason': 'why'}))}",
        ]
    )


def _server(settings: Settings, server: str) -> str:
    """Behind a proxy the server does not know the address that people use."""
    return server if settings.auth == "none" else "https://MODELSWITCH"
