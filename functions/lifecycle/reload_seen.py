"""Which reload is in progress, as the model's digest annotation shows: level-triggered, so a crashed step loses nothing."""

from events.artifact import Completeness
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Intent, Record, Reload, Run, Wanted

_AGAIN = "#"


def digest_of(value: str) -> str:
    """The digest that an annotation's value names; behind the sign a count, where the same one had to be loaded again."""
    return value.partition(_AGAIN)[0]


def value_for(digest: str, present: str | None) -> str:
    """What the annotation must say so that the pods are replaced."""
    if present is None or digest_of(present) != digest:
        return digest
    count = present.partition(_AGAIN)[2]
    return f"{digest}{_AGAIN}{int(count) + 1 if count.isdecimal() else 2}"


def reload_in_progress(seen: Observation, before: Record, planned: Intent | None, *, known: bool) -> Reload | None:
    """The recorded one while the annotation is still its; a new one where the annotation changed since the last look."""
    waits = seen.stop_note is not None and seen.stop_note.queued is not None
    if seen.stop_wanted and not waits:
        return None
    if before.reload and before.reload.wanted.value == seen.digest:
        return before.reload
    if not known or seen.digest is None or seen.digest == before.digest:
        return None
    if planned and planned.wanted and planned.wanted.value == seen.digest:
        return Reload(run=planned.run, wanted=planned.wanted)
    queued = before.queued_reload
    if queued and queued.wanted.digest == digest_of(seen.digest):
        return Reload(run=queued.run, wanted=queued.wanted.model_copy(update={"value": seen.digest}))
    run = Run(since=seen.observed_at, actor="external:unknown", key=f"external {seen.uid} {seen.version}", ours=False)
    wanted = Wanted(
        uri=", ".join(seen.artifacts),
        digest=digest_of(seen.digest),
        value=seen.digest,
        complete=Completeness.DECLARED,
    )
    return Reload(run=run, wanted=wanted)
