"""What to do about a command, or about what a look showed: pure, so that every case can be tried.

`decide` never does anything. It returns the record as it will be once the effects are done, the effects in order,
and what to publish; or raises Refused.
"""

from dataclasses import replace

from events.commands import ReloadRequested, StartRequested, StopRequested
from events.location import Location
from functions.lifecycle.decision import Decision, audited_once
from functions.lifecycle.derive import next_look
from functions.lifecycle.effects import PinOwners
from functions.lifecycle.errors import Superseded
from functions.lifecycle.handover import hand_over, next_handover
from functions.lifecycle.heard import with_heard
from functions.lifecycle.observation import ANY_PATH, Observation
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Intent, Record
from functions.lifecycle.reloading import follow_reload, take_reload
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.lifecycle.smoke_test import to_ask
from functions.lifecycle.starting import take_start
from functions.lifecycle.stopping import is_resumed, take_stop
from functions.lifecycle.upkeep import keep_up


def decide(
    record: Record | None,
    seen: Observation,
    request: Request | None,
    limits: Limits,
    planned: Intent | None = None,
) -> Decision:
    """`planned` is what a delivery that died had stored: of this command, or of whichever was last.

    Stops and starts of one model have an order; a reload has no place in it, since it undoes neither.
    Raises Superseded for a command that comes again after a later one was done. Only a redelivery can be late: what
    arrives for the first time is the latest there is.
    """
    seen = _with_known_buckets(record, _without_left_behind(record, seen))
    if record and record.uid == seen.uid:
        seen = with_heard(seen, record.heard, record.heard_members)
    looked = observe(record, seen, limits, planned, resumed=is_resumed(seen, request))
    ordered = request is not None and request.verb != "reload"
    if request and ordered and request.redelivered and looked.record.sequence > request.sequence:
        raise Superseded
    sequence = max(looked.record.sequence, request.sequence if request and ordered else 0)
    after = looked.record.model_copy(update={"sequence": sequence})
    known = Decision(after, events=looked.events, audit=looked.audit)
    if request is None:
        noted = record.start if record and record.uid == seen.uid else None
        decision = follow_reload(keep_up(known, seen, planned, noted), seen, limits)
        decision = hand_over(decision, seen, planned)
        if not (decision.effects or decision.again):
            decision = replace(decision, predict=to_ask(decision.record, seen))
    else:
        match request.command:
            case StopRequested() as command:
                decision = take_stop(known, seen, request, command)
            case StartRequested() as command:
                decision = take_start(known, seen, request, command, planned)
            case ReloadRequested() as command:
                decision = take_reload(known, seen, request, command, planned)
    at_once = decision.again or bool(seen.pins) or any(isinstance(effect, PinOwners) for effect in decision.effects)
    due = next_look(decision.record, at_once, seen.observed_at), next_handover(decision.record, seen)
    return audited_once(replace(decision, due=min((moment for moment in due if moment), default=None)))


def _with_known_buckets(record: Record | None, seen: Observation) -> Observation:
    """Without a pod the bucket that a model has from a Secret is not visible; the one that its last pods showed is kept."""
    if not seen.bucketless or record is None or record.uid != seen.uid:
        return seen
    known = (uri for uri in record.artifacts if uri not in seen.artifacts)
    paths = {uri: Location.parse(uri).path for uri in known}
    kept = (uri for uri, path in paths.items() if {path, ANY_PATH} & set(seen.bucketless))
    return replace(seen, artifacts=(*seen.artifacts, *kept))


def _without_left_behind(record: Record | None, seen: Observation) -> Observation:
    """A stop note that was there while the model ran does not describe a stop that another client set later."""
    stale = record and record.uid == seen.uid and seen.stop_note and record.left_behind == seen.stop_note.key
    return replace(seen, stop_note=None) if stale and seen.stop_wanted else seen
