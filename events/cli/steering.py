"""`modelswitch stop` and `modelswitch start`."""

import getpass
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from events.cli.exits import CliError, Exit
from events.cli.names import Target, seconds, targets, usage
from events.cli.options import Connection, Manner, Selection
from events.cli.publishing import send_commands
from events.cli.results import Result, followed, report
from events.cli.server import ModelServer
from events.cli.waiting import Follower
from events.commands import ModelCommand, StartRequested, StopRequested, Verb


@dataclass(frozen=True)
class _Order:
    """A checked command line: what is asked of which models, and how."""

    verb: Verb
    command: ModelCommand
    chosen: list[Target]
    body: dict[str, Any]
    manner: Manner
    connection: Connection


def stop(fields: dict[str, Any], selection: Selection, manner: Manner, connection: Connection) -> None:
    """Stops the models; `fields` are those of StopRequested. CliError as in exits.py."""
    command = _checked(StopRequested, fields)
    _carry_out(_Order("stop", command, targets(selection), _body(command), manner, connection))


def start(fields: dict[str, Any], queue: bool, selection: Selection, manner: Manner, connection: Connection) -> None:
    """Starts the models; `queue`: after the last pod is gone, where they are still stopping."""
    command = _checked(StartRequested, fields)
    body = _body(command) | ({"queue": True} if queue else {})
    _carry_out(_Order("start", command, targets(selection), body, manner, connection))


def _carry_out(order: _Order) -> None:
    deadline = time.monotonic() + seconds(order.manner.wait_timeout, "--wait-timeout")
    by_event = order.manner.via_broker
    wait = (not by_event) if order.manner.wait is None else order.manner.wait
    if by_event:
        send_commands(order.command, [target.ref() for target in order.chosen], order.manner)
        if not wait:
            return
    with ModelServer.connect(order.connection) as server:
        follower = Follower(server, order.verb, deadline, by_event)
        results = [_seen(server, target) for target in order.chosen] if by_event else _asked(server, order)
        if wait:
            results = followed(results, follower)
        report(results, follower, as_json=order.manner.json, waited=wait)


def _seen(server: ModelServer, target: Target) -> Result:
    return Result(target, server.status(target))


def _asked(server: ModelServer, order: _Order) -> list[Result]:
    """One model by its own path, several in one bulk request."""
    if len(order.chosen) == 1:
        target = order.chosen[0]
        answer = server.command(order.verb, target, order.body)
        return [Result(target, answer.status, answer.changed, answer.recorded)]
    chosen = [_located(server, target) for target in order.chosen]
    answers = {(item.get("namespace"), item.get("name")): item for item in server.bulk(order.verb, chosen, order.body)}
    return [_bulk_result(server, target, answers.get((target.namespace, target.name))) for target in chosen]


def _located(server: ModelServer, target: Target) -> Target:
    """The bulk request names namespaces; where none was given, the server knows the only one that fits."""
    if target.namespace:
        return target
    status = server.status(target)
    return Target(status.name, status.namespace, status.kind)


def _bulk_result(server: ModelServer, target: Target, item: dict[str, Any] | None) -> Result:
    if item is None:
        return Result(
            target, changed=False, refused=CliError(Exit.REFUSED, "the server gave no answer for it", "Ask again.")
        )
    code = int(item.get("status", HTTPStatus.OK))
    if code < HTTPStatus.BAD_REQUEST:
        return Result(target, server.status(target), bool(item.get("changed", True)), bool(item.get("recorded", True)))
    return Result(target, changed=False, refused=_refusal(code, item))


def _refusal(code: int, item: dict[str, Any]) -> CliError:
    exit_code = {401: Exit.NOT_AUTHORISED, 403: Exit.NOT_AUTHORISED, 503: Exit.NOT_REACHABLE}.get(code, Exit.REFUSED)
    message = str(item.get("message") or item.get("code") or f"refused with status {code}")
    return CliError(exit_code, message, str(item.get("next_action") or ""), problem=item)


def _body(command: ModelCommand) -> dict[str, Any]:
    """Over REST the server knows who asks; the name of a user on this machine adds nothing."""
    return command.model_dump(mode="json", exclude_defaults=True, exclude={"actor"})


def _checked(model: type[ModelCommand], fields: dict[str, Any]) -> ModelCommand:
    try:
        return model.model_validate({"actor": _user(), **fields})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise usage(f"--{first['loc'][0]}: {first['msg']}", "Correct the option.") from error


def _user() -> str | None:
    """Who the sender says it is; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
