"""`modelswitch verify`: from what was typed to looks at the cluster, a table, and how the process ends."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from events.cli.exits import CliError, Exit
from events.cli.names import parse_kind, seconds, targets, usage
from events.cli.options import Selection
from events.cli.terminal import say, say_json, stderr_console, stdout_console
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.installations import Installations, OtherInstallations
from functions.adapters.kserve.note_policy import NotePolicy, PolicyStatus
from functions.adapters.probe import line_for
from functions.adapters.signature import read_secrets
from functions.admin.ending import run
from functions.admin.verify import table
from functions.admin.verify.judging import Row, judge
from functions.admin.verify.prediction import Predictions
from functions.admin.verify.reading import Reader, Wanted
from functions.admin.verify.waiting import Waiting

_PROXY_RIGHT = "Grant get on pods/proxy (create for predictions), or run it inside the cluster."
_WAYS = ("pods", "apiserver")

_INTERRUPTED = "Nothing was changed: it only reads."
_RIGHTS = "Grant get and list on pods and on the kinds of serving.kserve.io (knative/examples/verify-postsync.yaml has a Role), or name a --kind."


@dataclass(frozen=True)
class Typed:
    """The options, as typed."""

    selection: Selection
    all_namespaces: bool = False
    wait: str | None = None
    predict: bool = False
    predict_timeout: str = "10s"
    probes: bool = False
    ask: str | None = None
    json: bool = False
    installation: str = "modelswitch"


def verify(typed: Typed) -> None:
    """CliError 1: something differs. CliError 5: with --wait, something still differs, starts, or is in error."""
    wanted = _wanted(typed)
    rows, policy, others = run(_look(typed, wanted), interrupted=_INTERRUPTED, rights=_RIGHTS)
    if typed.json:
        say_json(table.as_json(rows, policy, others))
    elif rows:
        _show(rows, policy, others, every=typed.probes)
    else:
        stderr_console().print("No model fits.")
    _end(typed, rows)


def _wanted(typed: Typed) -> Wanted:
    names = tuple(targets(typed.selection))
    if typed.all_namespaces and names:
        raise usage("--all-namespaces and names do not go together", "Leave one of them out.")
    namespace = None if typed.all_namespaces else typed.selection.namespace
    if not typed.all_namespaces and namespace is None and not (names and all(name.namespace for name in names)):
        raise usage("no namespace is named", "Add -n NAMESPACE, or -A for all, or write NAMESPACE/NAME.")
    if typed.ask and typed.ask not in _WAYS:
        raise usage(f"--ask {typed.ask!r} is no way", f"Choose one of {', '.join(_WAYS)}.")
    return Wanted(names, namespace, parse_kind(typed.selection.kind))


async def _look(typed: Typed, wanted: Wanted) -> tuple[Sequence[Row], PolicyStatus | None, OtherInstallations]:
    """The rows, the state of the policy that guards stop annotations, where a model has one, and other installations."""
    patience = seconds(typed.wait, "--wait") if typed.wait else 0.0
    bound = seconds(typed.predict_timeout, "--predict-timeout")
    cluster = await Cluster.connect()
    line = line_for(typed.ask, cluster)
    try:
        keys = read_secrets(os.environ.get("NOTE_KEYS") or os.environ.get("DELIVERY_SECRETS", ""))
        reader = Reader(cluster, line, Predictions(cluster, line, bound) if typed.predict else None, keys)

        async def look() -> Sequence[Row]:
            return [judge(sighting) for sighting in await reader.look(wanted)]

        rows = await Waiting(patience, stderr_console()).until_settled(look)
        if reader.left_out:
            stderr_console().print(f"Left out, since they may not be read: {', '.join(sorted(reader.left_out))}.")
        noted = any(row.note for row in rows)
        policy = await NotePolicy(cluster, typed.installation).status() if noted else None
        return rows, policy, await Installations(cluster, typed.installation).others()
    finally:
        if line:
            await line.close()
        await cluster.close()


def _show(rows: Sequence[Row], policy: PolicyStatus | None, others: OtherInstallations, *, every: bool) -> None:
    stdout_console().print(table.table(rows))
    hooks = list(table.hooks(rows)) if every else []
    reasons, probes = list(table.reasons(rows)), list(table.probes(rows, every=every))
    for lines in (reasons, list(table.notes(rows, policy)), list(table.installations(others)), probes, hooks):
        if lines:
            say("")
        for line in lines:
            say(line)


def _end(typed: Typed, rows: Sequence[Row]) -> None:
    unsettled = [row for row in rows if not row.settled]
    if typed.wait and unsettled:
        named = ", ".join(f"{table.name(row)} ({row.standing})" for row in unsettled)
        raise CliError(
            Exit.TIMED_OUT, f"after {typed.wait} still not as it should be: {named}", "The reasons are above."
        )
    if wrong := [row for row in rows if row.wrong]:
        named = ", ".join(f"{table.name(row)} ({row.standing})" for row in wrong)
        raise CliError(Exit.REFUSED, f"what KServe says is not so: {named}", "What to do is said above, for each.")
    if forbidden := [row for row in rows if row.forbidden]:
        named = ", ".join(table.name(row) for row in forbidden)
        raise CliError(Exit.NOT_AUTHORISED, f"you may not ask the pods of {named}", _PROXY_RIGHT)
