"""`modelswitch status` and `modelswitch list`."""

from datetime import UTC, datetime

from rich.table import Table

from events.cli.names import parse_kind, targets, usage
from events.cli.options import Connection, Selection, Sort
from events.cli.server import ModelServer
from events.cli.terminal import say, say_json, stderr_console, stdout_console
from events.cli.words import gpus_phrase, sentence
from events.senders import named
from events.status import URGENCY, ModelStatus, State

_NEVER = datetime.min.replace(tzinfo=UTC)


def status(selection: Selection, connection: Connection, *, as_json: bool) -> None:
    """Prints one model's status. A model in error is still an answer: exit code 0."""
    (target,) = targets(selection)
    with ModelServer.connect(connection) as server:
        found = server.status(target)
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    say(sentence(found))
    for line in _details(found):
        say(f"  {line}")


def filters(namespace: str | None, state: str | None, kind: str | None, selector: str | None) -> dict[str, str]:
    """The list's query. CliError (2): a state, kind or selector that can't be one."""
    if state and state not in {one.value for one in State}:
        raise usage(f"--state {state!r} is no state", f"Choose one of {', '.join(State)}.")
    if selector and not all(part.partition("=")[1] and part.partition("=")[0] for part in selector.split(",")):
        raise usage(f"--selector {selector!r} is no label", "Write key=value.")
    found = parse_kind(kind)
    wanted = {"namespace": namespace, "state": state, "kind": found.value if found else None, "label": selector}
    return {name: value for name, value in wanted.items() if value}


def list_models(wanted: dict[str, str], connection: Connection, *, sort: Sort, as_json: bool) -> None:
    """Prints every model that the filters let through."""
    with ModelServer.connect(connection) as server:
        found = _sorted(server.models(wanted), sort)
    if as_json:
        say_json({"items": [one.model_dump(mode="json") for one in found]})
    elif found:
        stdout_console().print(_table(found))
    else:
        stderr_console().print("No model fits.")


def _sorted(found: list[ModelStatus], sort: Sort) -> list[ModelStatus]:
    """By name: as the server has it, by namespace, kind and name. Else of equals the one that changed last is first."""
    if sort is Sort.NAME:
        return found
    latest = sorted(found, key=lambda one: one.last_transition or _NEVER, reverse=True)
    return latest if sort is Sort.SINCE else sorted(latest, key=lambda one: (URGENCY[one.state], not one.reason))


def _details(found: ModelStatus) -> list[str]:
    endpoint = found.endpoints
    lines = [f"kind        {found.kind}", f"wanted      {found.desired}"]
    if found.last_transition:
        lines.append(f"since       {found.last_transition.isoformat(timespec='seconds')}")
    if endpoint.inference:
        lines.append(f"endpoint    {endpoint.inference} ({'available' if endpoint.available else 'not available'})")
    lines += [
        f"held by     {named(hold.actor, hold.claimed_actor)} ({hold.kind})"
        + (f": {hold.reason}" if hold.reason else "")
        for hold in found.holds
    ]
    if found.message:
        lines.append(f"message     {found.message}")
    return lines


def _table(found: list[ModelStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("NAMESPACE", "NAME", "KIND", "STATE", "REASON", "RESOURCES", "SINCE"):
        table.add_column(column, overflow="fold", no_wrap=column in {"STATE", "SINCE"})
    for one in found:
        held = one.resource_allocation
        counted = gpus_phrase(held.gpus, exact=held.gpus_exact)
        gpus = f"{counted}, " if counted else ""
        since = one.last_transition.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if one.last_transition else "-"
        table.add_row(
            one.namespace, one.name, one.kind.value, one.state.value, one.reason or "-", f"{gpus}{held.memory}", since
        )
    return table
