"""What a command did to each model, told at the end."""

from dataclasses import dataclass, replace
from typing import Any, Self

from events.cli.exits import CliError, Exit
from events.cli.names import Target
from events.cli.terminal import say, say_json, stderr_console
from events.cli.waiting import Follower
from events.cli.words import sentence
from events.status import ModelStatus, State


@dataclass(frozen=True, slots=True)
class Result:
    """One model's: its status, or why there is none (`refused`)."""

    target: Target
    status: ModelStatus | None = None
    changed: bool = True
    recorded: bool = True
    refused: CliError | None = None

    def with_status(self, status: ModelStatus) -> Self:
        return replace(self, status=status)

    def as_json(self) -> dict[str, Any]:
        shown = self.status.model_dump(mode="json") if self.status else None
        result: dict[str, Any] = {"status": shown, "changed": self.changed, "recorded": self.recorded}
        if self.refused:
            result |= {
                "namespace": self.target.namespace,
                "name": self.target.name,
                "error": {
                    "code": self.refused.code,
                    "message": self.refused.message,
                    "next_action": self.refused.next_action,
                },
            }
        return result


def followed(results: list[Result], follower: Follower) -> list[Result]:
    """The results with the statuses that the models have in the end."""
    waited = [result for result in results if result.status]
    last = follower.follow([result.status for result in waited if result.status])
    ends = {id(result): status for result, status in zip(waited, last, strict=True)}
    return [result.with_status(ends[id(result)]) if id(result) in ends else result for result in results]


def report(results: list[Result], follower: Follower, *, as_json: bool, waited: bool) -> None:
    """Prints every result, then raises CliError (1) if one was refused, is in error, or was reversed in between."""
    if as_json:
        items = [result.as_json() for result in results]
        say_json(items[0] if len(items) == 1 else {"items": items})
    bad = [
        result for result in results if result.refused or (result.status and _failed(result.status, follower, waited))
    ]
    for result in results:
        _tell(result, as_json=as_json)
    if bad:
        raise _worst(bad, follower)


def _tell(result: Result, *, as_json: bool) -> None:
    console = stderr_console()
    if result.status and not result.recorded:
        console.print(f"{result.target}: done in the cluster; its history follows when Redis is back")
    if as_json:
        return
    if result.refused:
        console.print(f"{result.target}: {result.refused.message} {result.refused.next_action}".rstrip())
    elif result.status:
        already = "" if result.changed else " (nothing to do)"
        say(f"{sentence(result.status)}{already}")


def _failed(status: ModelStatus, follower: Follower, waited: bool) -> bool:
    return status.state is State.ERROR or (waited and not follower.reached(status))


def _worst(bad: list[Result], follower: Follower) -> CliError:
    refusals = [result.refused for result in bad if result.refused]
    if len(bad) == 1 and refusals:
        return refusals[0]
    names = ", ".join(str(result.target) for result in bad)
    turned = any(result.status and follower.turned(result.status) for result in bad)
    way_out = (
        "Another user or client requested the opposite in between." if turned else "See `modelswitch status` for each."
    )
    return CliError(Exit.REFUSED, f"not {_PARTICIPLE[follower.verb]}: {names}", way_out)


_PARTICIPLE = {"stop": "stopped", "start": "running"}
