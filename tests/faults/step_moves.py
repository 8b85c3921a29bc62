"""What the functions do: the real step, one ask at a time, against the state; and its death at any point.

The store is modelled after claim.lua, release.lua and commit.lua: a command that arrives has its place in the model's
line, whether the model is free or not, and is in line until it is answered. A process that died leaves its claim until
the lease ends; here that is at once, because what arrives until then only takes its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import asks as ask
from asks import take_command, take_next, take_notification
from builders import LIMITS, NOW, REF
from cluster_moves import all_terminating, end_pods, pin, unpin, with_stop
from look import after_patch, observe, queued_command, shown, uids
from processes import NOTIFICATION, Processes
from renumber import SEQUENCE, Pool
from world_state import ACCEPTED, CLAIMED, DROPPED, FRESH, REFUSED, State

from functions.lifecycle.errors import Code, PreconditionFailed
from functions.lifecycle.request import Request

UNANSWERED = {FRESH, CLAIMED, REFUSED}


class Violated(Exception):
    """A state that must not be."""


@dataclass(frozen=True)
class Bounds:
    """At most so many steps in flight; `commands` in the order of their numbers."""

    commands: tuple[Request, ...]
    in_flight: int = 2
    outside: int = 0
    jumps: int = 0


class Functions:
    """The functions in front of one store and one cluster. Its methods answer the states that follow."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.stop_notes, self.records, self.plans = Pool(), Pool(), Pool()
        self.processes = Processes(self.records, self.plans)

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        for number in range(len(self.bounds.commands)):
            after = self.deliver(state, number)
            if after and (len(after.steps) <= self.bounds.in_flight):
                yield f"command {self._says(number)} {self._how(state, after, number)}", after
        if len(state.steps) < self.bounds.in_flight:
            after = self.drain(state)
            if after:
                yield "the next command in line gets the lease", after
            yield "a notification arrives; the record is loaded", self.notification(state, pinned=False)
            if state.pinned:
                yield "a tick arrives; the record is loaded", self.notification(state, pinned=True)
        for place, step in enumerate(state.steps):
            yield self._name(step), self.go_on(state, place)
            yield f"{self._whose(step)} is killed before: {self._asks(step)}", _without(state, place)
            if isinstance(self.processes.all[step].ask, ask.EndPods):
                half = self._half_ended(state, self.processes.all[step].ask)
                yield f"{self._whose(step)} is killed between ending pods and unpinning", _without(half, place)

    def deliver(self, state: State, number: int) -> State | None:
        """A command arrives, or comes again. None where the stored answer, or its place, is all there is to get."""
        if state.commands[number] not in UNANSWERED:
            return None
        fresh = not state.sequences[number]
        sequence = state.sequences[number] or max(SEQUENCE, *state.sequences) + 1
        after = state._replace(
            sequences=_put(state.sequences, number, sequence),
            commands=_put(state.commands, number, CLAIMED),
        )
        if self._lease_taken(state):
            return after if after != state else None
        if self._next(after) != number:
            return self.drain(after)  # its delivery does first what comes first
        return self._leased(after, number, heard=True, redelivered=not fresh)

    def drain(self, state: State) -> State | None:
        """A process that is done with a command, a delivery that waits, or the timer takes the next in line.

        None: there is none.
        """
        if self._lease_taken(state):
            return None
        number = self._next(state)
        return None if number is None else self._leased(state, number, heard=False, redelivered=True)

    def _next(self, state: State) -> int | None:
        """After claim.lua: the last stop or start, else whatever came first."""
        line = sorted(
            (number for number, status in enumerate(state.commands) if status == CLAIMED),
            key=lambda number: state.sequences[number],
        )
        ordered = [number for number in line if self.bounds.commands[number].verb != "reload"]
        return next(iter(ordered[-1:] or line), None)

    def _leased(self, state: State, number: int, *, heard: bool, redelivered: bool) -> State:
        request, sequence = self.bounds.commands[number], state.sequences[number]
        step = self.processes.begin(
            number,
            request.id if heard else f"{request.id} in line",
            lambda: take_command(request, LIMITS) if heard else take_next(REF, LIMITS),
            (state.record, state.revision, state.plan, sequence, redelivered),
            lambda: ask.Claimed(
                now=NOW,
                token=request.id,
                record=self.records.values[state.record],
                revision=state.revision,
                first_seen=NOW,
                sequence=sequence,
                redelivered=redelivered,
                planned=self.plans.values[state.plan],
                request=None if heard else request,
            ),
        )
        return self._settled(state, step)

    def notification(self, state: State, *, pinned: bool) -> State:
        step = self.processes.begin(
            NOTIFICATION,
            "tick" if pinned else "notification",
            lambda: take_notification(REF, LIMITS, pinned=pinned),
            (state.record, state.revision, state.plan),
            lambda: self._loaded(state),
        )
        return self._settled(state, step)

    def go_on(self, state: State, place: int) -> State:
        """One ask of one step is carried out, and the step gets its answer."""
        step = state.steps[place]
        after, named, make = self._carry_out(state, step)
        return self._settled(_without(after, place), self.processes.answer(step, named, make))

    def _settled(self, state: State, step: int) -> State:
        """With the step in flight, or without where it has ended."""
        process = self.processes.all[step]
        if process.ask is not None:
            return state._replace(steps=(*state.steps, step))
        if (
            process.who != NOTIFICATION
            and process.error
            and state.commands[process.who] == CLAIMED
            and process.error.status < 500
        ):
            return state._replace(commands=_put(state.commands, process.who, REFUSED))
        return state

    def _carry_out(self, state: State, step: int) -> tuple[State, Any, Any]:
        process = self.processes.all[step]
        match process.ask:
            case ask.Look() as look:
                return state, shown(state, look), lambda: observe(state, look, self.stop_notes)
            case ask.Load():
                return state, (state.record, state.revision, state.plan), lambda: self._loaded(state)
            case ask.PatchModel() as patch:
                return self._patch(state, process.who, patch)
            case ask.PinOwners() as effect:
                return pin(state, uids(effect.owners)), None, lambda: None
            case ask.UnpinOwners() as effect:
                return unpin(state, uids(effect.owners)), None, lambda: None
            case ask.EndPods() as effect:
                after = self._half_ended(state, effect)
                return after if after is state else unpin(after, uids(effect.owners)), None, lambda: None
            case ask.Plan():
                return state._replace(plan=process.plan), None, lambda: None
            case ask.Release():
                return state, None, lambda: None
            case ask.Commit() as commit:
                return self._commit(state, process.who, process.record, commit)
            case other:
                raise TypeError(f"the world can't carry out {other}")

    def _half_ended(self, state: State, effect: ask.EndPods) -> State:
        """The very same state where an owner is not terminating yet: after 2 s the adapter leaves all to the tick."""
        owners = uids(effect.owners)
        return end_pods(state, owners) if all_terminating(state, owners) else state

    def _loaded(self, state: State) -> ask.Loaded:
        return ask.Loaded(self.records.values[state.record], state.revision, self.plans.values[state.plan])

    def _patch(self, state: State, who: int, patch: ask.PatchModel) -> tuple[State, Any, Any]:
        after = after_patch(state, patch, self.stop_notes)
        if after is None:
            return state, "failed", lambda: PreconditionFailed("a test failed")
        stop, stop_note = after
        patched = with_stop(state, stop, stop_note)
        author = who if who != NOTIFICATION else queued_command(self.stop_notes.values[state.stop_note])
        if not state.stop_wanted and (who == NOTIFICATION or self.bounds.commands[who].verb != "stop"):
            raise Violated("a PATCH on a running model that nobody asked to stop")
        if not state.stop_wanted and not patched.stop_wanted:
            raise Violated("a PATCH on a running model that does not stop it: KServe would restart its pods")
        if patched.stop_wanted != state.stop_wanted:
            if author is None:
                raise Violated("a PATCH with an effect that no command asked for")
            if patched.effective[author]:
                raise Violated(f"a second effective PATCH of {self._says(author)}")
            patched = patched._replace(effective=_put(patched.effective, author, 1))
        return patched, patched.version, lambda: patched.version

    def _commit(self, state: State, who: int, record: int, commit: ask.Commit) -> tuple[State, Any, Any]:
        if commit.record:
            if commit.expected != state.revision:
                return state, "conflict", lambda: ask.Committed(conflict=True)
            old = self.records.values[state.record]
            new = commit.record
            if old and (new.version < old.version or new.pods_version < old.pods_version):
                return state, "stale", lambda: ask.Committed(stale=True)
            state = state._replace(record=record, revision=state.revision + 1)
        if who != NOTIFICATION and state.commands[who] != CLAIMED and (commit.answer or commit.refusal):
            raise Violated(f"{self._says(who)} is answered a second time")
        if who != NOTIFICATION and commit.refusal:
            state = state._replace(commands=_put(state.commands, who, REFUSED))
        if who != NOTIFICATION and commit.answer:
            dropped = any(entry.code for entry in commit.audit)
            superseded = any(entry.code is Code.SUPERSEDED for entry in commit.audit)
            if superseded and state.sequences[who] == max(state.sequences):
                raise Violated(f"{self._says(who)} arrived last and was dropped as superseded")
            if superseded and not self._was_overtaken(state, who):
                raise Violated(f"{self._says(who)} was dropped for a later command that was not done")
            plan = 0 if commit.record else state.plan
            state = state._replace(commands=_put(state.commands, who, DROPPED if dropped else ACCEPTED), plan=plan)
        return state, "ok", ask.Committed

    def _was_overtaken(self, state: State, who: int) -> bool:
        """A later command was done, or is to come again after what it did or planned."""
        later = [number for number, sequence in enumerate(state.sequences) if sequence > state.sequences[who]]
        return any(state.commands[number] in {CLAIMED, ACCEPTED, DROPPED} for number in later)

    def _how(self, before: State, after: State, number: int) -> str:
        if len(after.steps) == len(before.steps):
            return "arrives while another is at work, and is in line"
        mine = self.processes.all[after.steps[-1]].who == number
        return "is delivered and gets the lease" if mine else "is delivered; another comes first"

    def _lease_taken(self, state: State) -> bool:
        return any(self.processes.all[step].who != NOTIFICATION for step in state.steps)

    def _says(self, number: int) -> str:
        request = self.bounds.commands[number]
        forced = "" if getattr(request.command, "graceful", True) else "forced "
        return f"{request.id} ({forced}{request.verb}{', queued' if request.queue else ''})"

    def _whose(self, step: int) -> str:
        who = self.processes.all[step].who
        return "the notification's step" if who == NOTIFICATION else f"the step of {self._says(who)}"

    def _asks(self, step: int) -> str:
        return type(self.processes.all[step].ask).__name__

    def _name(self, step: int) -> str:
        return f"{self._whose(step)} goes on: {self._asks(step)}"


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _without(state: State, place: int) -> State:
    return state._replace(steps=(*state.steps[:place], *state.steps[place + 1 :]))


def numbered(*commands: Request) -> tuple[Request, ...]:
    return tuple(replace(command, id=f"c{number}") for number, command in enumerate(commands))
