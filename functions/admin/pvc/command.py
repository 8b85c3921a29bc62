"""The two commands: from what was typed to a wish, from the cluster to a plan, and to how the process ends."""

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import typer
from cloudevents.http import CloudEvent

from events.cli.exits import CliError, Exit
from events.cli.names import seconds, targets, usage
from events.cli.options import Selection
from events.cli.terminal import say, say_json, stderr_console
from events.errors import PublishFailed
from events.model import Kind
from events.publisher import Publisher
from functions.adapters.cluster import Changed, Cluster, Missing
from functions.admin.ending import run
from functions.admin.pvc import showing
from functions.admin.pvc.doing import Apply, Done, Send
from functions.admin.pvc.errors import Refusal, StepFailed, TimeIsOver
from functions.admin.pvc.folder import Folder, read_folder
from functions.admin.pvc.planning import Plan, make_plan
from functions.admin.pvc.progress import Teller
from functions.admin.pvc.reading import read
from functions.admin.pvc.waiting import Patience
from functions.admin.pvc.wish import ACCESS_MODES, Wish, in_bytes, target

_PUBLISH_SECONDS = 10.0
_GOES_ON = "Nothing was undone: run the same command again to continue."
_NOTHING_CHANGED = "Nothing was changed."
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Typed:
    """The options that say what is wanted, as typed."""

    name: str
    namespace: str | None
    claim: str
    path: str | None
    new_name: str | None
    in_place: bool
    source: Path | None
    size: str | None
    storage_class: str | None
    access_mode: str | None
    runtime: str | None
    runtime_from: str | None
    loader_image: str | None
    loader_user: int | None
    artifact_size: str | None
    expected_digest: str | None


def plan(typed: Typed, *, as_json: bool) -> None:
    """CliError (1) after the plan was shown where `apply` would refuse it."""
    wish = _wish(typed)
    made = _run(_with_cluster(lambda cluster: _plan(cluster, wish)))
    if as_json:
        say_json(showing.summary(made))
    else:
        _show(made)
    if made.refused:
        raise _refused(made)


def apply(typed: Typed, *, sink: str | None, yes: bool, load_timeout: str, wait_timeout: str) -> None:
    """Prints the plan on stdout and what is done on stderr."""
    tell = Teller(stderr_console())
    patience = Patience(seconds(load_timeout, "--load-timeout")), Patience(seconds(wait_timeout, "--wait-timeout"))
    send = _sender(sink)
    wish = _wish(typed, tell)

    made = _run(_with_cluster(lambda cluster: _plan(cluster, wish)))
    _show(made)
    if made.refused:
        raise _refused(made)
    if made.changes and not yes and not _agreed(made):
        raise CliError(Exit.REFUSED, "nothing was changed", "Answer y, or add --yes.")
    working = _with_cluster(lambda cluster: Apply(cluster, made, tell, *patience, send, sink or "").run())
    _say_done(made, _run(working, _GOES_ON))


async def _plan(cluster: Cluster, wish: Wish) -> Plan:
    return make_plan(wish, await read(cluster, wish))


def _wish(typed: Typed, tell: Teller | None = None) -> Wish:
    """CliError (2): the options are invalid for any cluster."""
    chosen = targets(Selection((typed.name,), typed.namespace, None))[0]
    ref = chosen.ref()
    if ref.kind is not Kind.INFERENCE_SERVICE:
        raise usage(f"{ref} is no InferenceService", "Only those are moved to a claim.")
    if typed.in_place == (typed.new_name is not None):
        raise usage(
            "neither --in-place nor --name is set",
            "Add --in-place, or --name NEW for a new one beside it.",
        )
    if typed.new_name is not None:
        targets(Selection((typed.new_name,), ref.namespace, None))
        if typed.new_name == ref.name or "/" in typed.new_name:
            raise usage(
                f"--name {typed.new_name} is no new name in namespace {ref.namespace}", "Choose another, or --in-place."
            )
    if typed.access_mode and typed.access_mode not in ACCESS_MODES:
        raise usage(f"--access-mode {typed.access_mode!r} is none", f"Choose one of {', '.join(ACCESS_MODES)}.")
    try:
        wish = Wish(
            namespace=ref.namespace,
            model=ref.name,
            target=target(ref.namespace, typed.claim, typed.path if typed.path is not None else ref.name),
            new_name=typed.new_name,
            size=typed.size,
            storage_class=typed.storage_class,
            access_mode=typed.access_mode,
            runtime_copy=typed.runtime,
            runtime_from=typed.runtime_from,
            loader_image=typed.loader_image,
            loader_user=typed.loader_user,
            artifact_size=in_bytes(typed.artifact_size, "--artifact-size") if typed.artifact_size else None,
            expected_digest=typed.expected_digest,
        )
        if typed.size:
            in_bytes(typed.size, "--size")
        return replace(wish, folder=_folder(typed.source, tell)) if typed.source else wish
    except Refusal as refusal:
        raise usage(refusal.message, refusal.next_action) from refusal


def _folder(root: Path, tell: Teller | None) -> Folder:
    tell = tell or Teller(stderr_console())
    total = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) if root.is_dir() else 0
    with tell.bytes(f"reading {root}", total) as advance:
        return read_folder(root, advance)


def _sender(sink: str | None) -> Send | None:
    if not sink:
        return None
    try:
        found = Publisher.from_environment(os.environ, sink_url=sink)
    except PublishFailed as error:
        raise CliError(Exit.USAGE, error.message, error.next_action) from error
    publisher = replace(found, deadline=_PUBLISH_SECONDS)

    def send(event: CloudEvent) -> None:
        publisher.send(event)

    return send


def _show(plan: Plan) -> None:
    for line in showing.lines(plan):
        say(line)


def _refused(plan: Plan) -> CliError:
    count = sum(check.verdict == "refused" for check in plan.checks)
    which = "1 check refuses it" if count == 1 else f"{count} checks refuse it"
    return CliError(Exit.REFUSED, f"{which}; nothing was changed", "Fix what is marked [refused], then retry.")


def _agreed(plan: Plan) -> bool:
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, "can't ask for confirmation: stdin is not a terminal", "Add --yes.")
    return typer.confirm(f"Make these {len(plan.changes)} changes?", err=True)


def _say_done(plan: Plan, done: Done) -> None:
    how = done.standing.says if done.standing else "not verified, since it is stopped"
    say(
        f"{plan.wish.namespace}/{plan.wish.name} is served from {plan.wish.target} ({done.digest or 'digest unknown'}): {how}."
    )


async def _with_cluster(work: Callable[[Cluster], Awaitable[Answer]]) -> Answer:
    cluster = await Cluster.connect()
    try:
        return await work(cluster)
    finally:
        await cluster.close()


def _run(work: Coroutine[Any, Any, Answer], interrupted: str = _NOTHING_CHANGED) -> Answer:
    try:
        return run(work, interrupted=interrupted)
    except StepFailed as error:
        timed_out = isinstance(error.__cause__, TimeIsOver)
        raise CliError(Exit.TIMED_OUT if timed_out else Exit.REFUSED, error.message, error.next_action) from error
    except (Missing, Changed) as error:
        raise CliError(Exit.REFUSED, str(error), "Something was deleted in between: try again.") from error
