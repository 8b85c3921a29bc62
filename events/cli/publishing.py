"""`modelswitch publish event`, and commands that go through a broker."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from cloudevents.http import CloudEvent
from pydantic import ValidationError

from events.artifact import ArtifactRef, ArtifactWritten
from events.catalogue.types import MODELS, Content
from events.cli.exits import CliError, Exit
from events.cli.names import targets, usage
from events.cli.options import Manner, Selection
from events.cli.terminal import say, say_json
from events.commands import ModelCommand
from events.envelope import build, explain
from events.errors import PublishFailed
from events.model import ModelRef
from events.publisher import Publisher

SOURCE = "/modelswitch/cli"
_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Publication:
    """A `publish event` command line as typed. `data` is JSON, @FILE, or @- for stdin."""

    type: str
    subject: str | None
    selection: Selection
    data: str
    id: str | None
    source: str
    correlation_id: str | None
    sink: str
    json: bool


def publish(publication: Publication) -> None:
    """Sends one event of the contract. CliError: it is not in the contract (2), or the sink did not take it."""
    data = _data(publication)
    event = build(
        data,
        _artifact_ref(data, publication) if isinstance(data, ArtifactWritten) else _ref(publication),
        source=publication.source,
        id=publication.id,
        correlation_id=publication.correlation_id,
    )
    send(publisher(publication.sink), event)
    tell(event, publication.sink, as_json=publication.json)


def send_commands(command: ModelCommand, refs: list[ModelRef], manner: Manner) -> None:
    """One event per model; says which ids they have."""
    broker = publisher(manner.sink)
    for ref in refs:
        event = build(command, ref, source=SOURCE)
        send(broker, event)
        tell(event, manner.sink, as_json=manner.json)


def publisher(sink: str) -> Publisher:
    try:
        found = Publisher.from_environment(os.environ, sink_url=sink)
    except PublishFailed as error:
        raise CliError(Exit.USAGE, error.message, error.next_action) from error
    return Publisher(
        found.sink_url,
        deadline=_DEADLINE_SECONDS,
        ca_certificates=found.ca_certificates,
        extensions=found.extensions,
    )


def send(publisher: Publisher, event: CloudEvent) -> None:
    try:
        publisher.send(event)
    except PublishFailed as error:
        raise CliError(_exit_code(error.status), error.message, error.next_action) from error


def _exit_code(status: int | None) -> Exit:
    if status is None or status >= 500 or status == 429:
        return Exit.NOT_REACHABLE
    return Exit.NOT_AUTHORISED if status in {401, 403} else Exit.REFUSED


def tell(event: CloudEvent, sink: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"id": event["id"], "source": event["source"], "type": event["type"], "subject": event["subject"]})
    else:
        say(f"{event['subject']}: {event['type']} sent to {sink} (id {event['id']})")


def _data(publication: Publication) -> Content:
    model = MODELS.get(_full_type(publication.type))
    if model is None:
        raise usage(f"unknown event type {publication.type!r}", f"Choose one of {', '.join(MODELS)}.")
    try:
        return model.model_validate(json.loads(_text(publication.data)))
    except ValidationError as error:
        raise usage(f"--data: {explain(error)}", "docs/events.md lists every field.") from error
    except ValueError as error:
        raise usage(f"--data is not JSON: {error}", "Write JSON, @FILE, or @- for stdin.") from error


def _full_type(text: str) -> str:
    """`stop-requested`, `model.stop-requested` and `artifact.written.v1` are accepted too."""
    fits = [known for known in MODELS if text in {known, known.removeprefix("dev.modelswitch.")}]
    words = {known: known.removeprefix("dev.modelswitch.").removesuffix(".v1") for known in MODELS}
    short = [known for known, word in words.items() if text in {word, word.removeprefix("model.")}]
    return (fits or short or [text])[0]


def _text(data: str) -> str:
    if not data.startswith("@"):
        return data
    try:
        return sys.stdin.read() if data == "@-" else Path(data[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"--data {data} can't be read: {error}", "Name a file that holds JSON.") from error


def _artifact_ref(data: ArtifactWritten, publication: Publication) -> ArtifactRef:
    """What it is about stands in its data."""
    if publication.selection.names or publication.subject not in {None, data.ref.subject}:
        raise usage(f"{data.type} is about {data.uri}, not about a model", "Leave out --model and --subject.")
    return data.ref


def _ref(publication: Publication) -> ModelRef:
    if publication.subject:
        try:
            return ModelRef.from_subject(publication.subject)
        except ValueError as error:
            raise usage(
                f"subject {publication.subject!r} names no model",
                "Write namespaces/NAMESPACE/inferenceservices/NAME.",
            ) from error
    if not publication.selection.names:
        raise usage("the event names no model", "Add --model NAMESPACE/NAME or --subject.")
    return targets(publication.selection)[0].ref()
