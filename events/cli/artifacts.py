"""`modelswitch publish artifact`: in the Job that wrote it, as its last step."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudevents.http import CloudEvent
from pydantic import ValidationError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from events.artifact import ArtifactWritten, Strategy
from events.artifacts.formats import check
from events.artifacts.reading import Reader
from events.artifacts.settling import Rule, Settling, Whole
from events.artifacts.survey import Unfit, survey
from events.cli.exits import CliError, Exit
from events.cli.names import usage
from events.cli.options import Connection
from events.cli.publishing import SOURCE, publisher, send
from events.cli.server import ModelServer
from events.cli.terminal import say, say_json, stderr_console
from events.envelope import build, explain

OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POLL_SECONDS = 0.5
_UNKNOWN_DIGEST = f"sha256:{'0' * 64}"


@dataclass(frozen=True)
class Telling:
    """What is said beside the artifact itself, and how."""

    strategy: Strategy
    reason: str | None
    written_by: str | None
    id: str | None
    sink: str
    json: bool


@dataclass(frozen=True)
class Confirmation:
    """For how many seconds to ask, and whom, what became of the event."""

    seconds: float
    connection: Connection


@dataclass(frozen=True)
class Order:
    """A `publish artifact` command line."""

    uri: str
    namespace: str | None
    path: Path | None
    rule: Rule
    check_formats: bool
    telling: Telling
    confirmation: Confirmation | None = None


def publish(order: Order) -> None:
    """Publishes one `artifact.written`. CliError (2): nothing to publish; (1): it is not what it should be."""
    draft = _draft(order)
    if order.path is None:
        _send(order, draft)
        return
    whole = _read(order, order.path)
    found = draft.model_copy(update={"digest": whole.digest, "size": whole.size, "complete": whole.complete})
    if differences := _differences(order.rule, whole):
        _refuse(order, found, differences)
    _send(order, found)


def own_namespace(uri: str, named: str | None) -> str | None:
    """The namespace of a claim: the one named, or that of the pod that this runs in. CliError (2): neither is there."""
    if named or not uri.lower().startswith("pvc://"):
        return named
    try:
        return OWN_NAMESPACE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{uri} is a claim, and no namespace is known", "Name the claim's with --namespace.") from error


def _draft(order: Order) -> ArtifactWritten:
    """All that can be wrong without looking is found before hours of reading."""
    rule, telling = order.rule, order.telling
    if order.path is None and (rule.digest is None or rule.size is None):
        raise usage("nothing says what was written", "Give --path, to have it read, or both --digest and --size.")
    if order.path and rule.digest and not rule.digest.startswith("sha256:"):
        raise usage(f"--digest {rule.digest[:40]} can't be compared", "With --path it is sha256:… of the content.")
    fields = {
        "uri": order.uri,
        "namespace": own_namespace(order.uri, order.namespace),
        "digest": rule.digest or _UNKNOWN_DIGEST,
        "size": rule.size or 0,
        "written_by": telling.written_by,
        "reason": telling.reason,
        "strategy": telling.strategy,
    }
    try:
        return ArtifactWritten.model_validate(fields)
    except ValidationError as error:
        raise usage(explain(error), "Correct the option.") from error


def _read(order: Order, path: Path) -> Whole:
    try:
        with _progress(path) as read:
            whole = Settling(path, order.rule, Reader(read)).whole()
        if order.check_formats:
            check(survey(path))
    except Unfit as error:
        raise usage(error.message, error.next_action) from error
    except OSError as error:
        raise usage(f"{path} can't be read: {error}", "Check the mount and its permissions.") from error
    return whole


@contextmanager
def _progress(path: Path) -> Iterator[Callable[[int], None]]:
    """A bar at a terminal; nothing in a log."""
    console = stderr_console()
    if not console.is_terminal:
        yield lambda _count: None
        return
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        try:
            total = survey(path).size
        except (Unfit, OSError):
            total = None
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def _differences(rule: Rule, whole: Whole) -> dict[str, Any]:
    """The fields that say what should have been there, where it is not."""
    wanted = {"expected_digest": (rule.digest, whole.digest), "expected_size": (rule.size, whole.size)}
    return {name: should for name, (should, found) in wanted.items() if should not in {None, found}}


def _refuse(order: Order, found: ArtifactWritten, differences: dict[str, Any]) -> None:
    """The model of the event refuses such a value, so it goes out unchecked: the function answers 422 and audits it."""
    wanted = " and ".join(map(str, differences.values()))
    event = build(found.model_copy(update=differences), found.ref, source=SOURCE, id=order.telling.id)
    try:
        send(publisher(order.telling.sink), event)
        audited = f"published, to be refused and audited (id {event['id']})"
    except CliError as error:
        refused = error.exit_code is Exit.REFUSED
        audited = "refused by the function, and audited" if refused else f"not audited: {error.message}"
    raise CliError(
        Exit.REFUSED,
        f"{found.uri} is {found.digest}, {found.size} bytes; expected {wanted}; {audited}",
        "No model loads it. Write it again, or correct --digest and --size.",
    )


def _send(order: Order, found: ArtifactWritten) -> None:
    event = build(found, found.ref, source=SOURCE, id=order.telling.id)
    send(publisher(order.telling.sink), event)
    told(event, found, order.telling.sink, as_json=order.telling.json)
    if order.confirmation:
        _confirm(event, order.confirmation, as_json=order.telling.json)


def _confirm(event: CloudEvent, wanted: Confirmation, *, as_json: bool) -> None:
    """CliError: no model loads it, or it was refused (1); the history says nothing of it yet (5)."""
    ends = time.monotonic() + wanted.seconds
    with ModelServer.connect(wanted.connection) as server:
        while not (entries := server.recorded(event["source"], event["id"])):
            if time.monotonic() >= ends:
                raise CliError(
                    Exit.TIMED_OUT,
                    f"the history says nothing of event {event['id']} yet, or not to you",
                    "Look it up in the history later: it is read by those who may list all InferenceServices.",
                )
            time.sleep(_POLL_SECONDS)
    # Some namespaces may have refused it, each by an entry of its own.
    said = next((entry for entry in entries if not entry.get("code")), entries[0])
    message = str(said.get("message") or said.get("action"))
    if code := said.get("code"):
        none_loads = "Name the artifact as the model's storageUri does."
        next_action = none_loads if code == "Refused" else "Correct what the message names, then publish it again."
        raise CliError(Exit.REFUSED, message, next_action, problem=said)
    if not as_json:
        say(message)


def told(event: CloudEvent, artifact: ArtifactWritten, sink: str, *, as_json: bool) -> None:
    if as_json:
        attributes = {name: event[name] for name in ("id", "source", "type", "subject")}
        say_json(attributes | {"data": artifact.model_dump(mode="json", exclude_none=True)})
    else:
        what = f"{artifact.digest}, {artifact.size} bytes, {artifact.complete}"
        say(f"{artifact.uri}: {what}; sent to {sink} (id {event['id']})")
