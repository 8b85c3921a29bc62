"""Breadth-first over every state that can be reached, each judged, each asked whether it finds back to agreement."""

import random
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cluster_moves import cluster_moves, outside_moves
from step_moves import Bounds, Functions, Violated
from world_state import ACCEPTED, CLAIMED, State, canonical, running

from events.status import State as Life

Move = tuple[str, State]
_LONGEST_WAY = 400
KILLED = 0.3  # of a random walk's moves: how likely a kill is beside any other move


@dataclass
class Found:
    """What a search saw. `complete`: no state is left to look at. `violation` is readable, path first."""

    states: int
    depth: int
    seconds: float
    complete: bool
    violation: str | None = None
    levels: list[int] = field(default_factory=list)


class Search:
    """States are remembered by a 64-bit hash of their canonical form, with the way on which each was found first."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.functions = Functions(bounds)
        self._first = self.canonical(running(len(bounds.commands), outside=bounds.outside, jumps=bounds.jumps))
        self._known: set[int] = {hash(self._first)}
        self._parents, self._ordinals = array("q", [-1]), array("B", [0])
        self._agreeing: set[int] = set()

    def canonical(self, state: State) -> State:
        return canonical(
            state, self.functions.stop_notes, self.functions.records, self.functions.plans, self.functions.processes
        )

    def run(self, most_states: int, report: Callable[[int, int], None] | None = None) -> Found:
        """Stops at the first violation, or when so many states are known, or when there are no more."""
        begun = time.monotonic()
        level, index_of_level, depth, levels = [self._first], 0, 0, []
        while level:
            levels.append(len(level))
            following: list[State] = []
            for offset, state in enumerate(level):
                broken = self._judge(state)
                if broken is None:
                    broken = self._expand(state, index_of_level + offset, following)
                if broken:
                    path = self._path(index_of_level + offset)
                    return self._found(depth, begun, levels, violation=f"{path}\n  => {broken}")
                if len(self._known) >= most_states:
                    return self._found(depth + 1, begun, levels)
            index_of_level += len(level)
            level = following
            depth += 1
            if report:
                report(depth, len(self._known))
        return self._found(depth, begun, levels, complete=True)

    def wander(self, walks: int, length: int, seed: int) -> Found:
        """Random walks, far deeper than breadth-first comes; every state on them is judged as well."""
        begun, choose = time.monotonic(), random.Random(seed)
        for _ in range(walks):
            state, lines = self._first, []
            for number in range(1, length + 1):
                try:
                    moves = list(self._moves(state))
                except Violated as violated:
                    return self._found(number, begun, [], violation="\n".join([*lines, f"  => {violated}"]))
                name, raw = choose.choices(moves, [KILLED if "killed" in name else 1 for name, _ in moves])[0]
                state = self.canonical(raw)
                lines.append(f"  {number:2}. {name}")
                self._known.add(hash(state))
                broken = self._judge(state)
                if broken:
                    return self._found(number, begun, [], violation="\n".join([*lines, f"  => {broken}"]))
        return self._found(length, begun, [])

    def _found(
        self, depth: int, begun: float, levels: list[int], *, complete: bool = False, violation: str | None = None
    ) -> Found:
        return Found(len(self._known), depth, time.monotonic() - begun, complete, violation, levels)

    def _expand(self, state: State, index: int, following: list[State]) -> str | None:
        moves = self._moves(state)
        ordinal = 0
        while True:
            try:
                _, raw = next(moves)
            except StopIteration:
                return None
            except Violated as violated:
                return str(violated)
            after = self.canonical(raw)
            identity = hash(after)
            if identity not in self._known:
                self._known.add(identity)
                self._parents.append(index)
                self._ordinals.append(ordinal)
                following.append(after)
            ordinal += 1

    def _moves(self, state: State) -> Iterator[Move]:
        yield from self.functions.moves(state)
        yield from cluster_moves(state)
        yield from outside_moves(state)
        if state.jumps_left and not state.steps:
            yield "70 s pass", self._later(state)._replace(jumps_left=state.jumps_left - 1)

    def _later(self, state: State) -> State:
        functions = self.functions
        return state._replace(
            stop_note=functions.stop_notes.age(state.stop_note),
            record=functions.records.age(state.record),
            plan=functions.plans.age(state.plan),
        )

    def _judge(self, state: State) -> str | None:
        """None where all is well; else what is wrong with this state or with the way on from it."""
        record = self.functions.records.values[state.record]
        if record and record.state is Life.STOPPED and record.version >= state.changed and state.pods:
            return "the record says stopped, and there is a pod"
        return self._finds_back(state)

    def _finds_back(self, state: State) -> str | None:
        """The fair way on: what is in flight ends, what was claimed comes again, the cluster moves, ticks come."""
        way: list[int] = []
        said: list[str] = []
        while (identity := hash(state)) not in self._agreeing:
            way.append(identity)
            if len(way) > _LONGEST_WAY:
                return "no agreement with the cluster within " + _listed(said)
            try:
                move = self._fair_move(state)
            except Violated as violated:
                return f"{violated}, after{_listed(said)}"
            if move is None:
                broken = self._disagreement(state)
                if broken:
                    return f"{broken}, after{_listed(said)}"
                break
            said.append(move[0])
            state = self.canonical(move[1])
        self._agreeing.update(way)
        return None

    def _fair_move(self, state: State) -> Move | None:
        """None where nothing moves any more."""
        functions = self.functions
        if state.steps:
            return "a step goes on", functions.go_on(state, 0)
        after = functions.drain(state)
        if after:
            return "the next command in line gets the lease", after
        for move in cluster_moves(state):
            return move
        ticked = self._ticked(state)
        if ticked != state:
            return "a tick", ticked
        if self._disagreement(state):
            later = self.canonical(self._later(state))
            if later != state:
                return "70 s pass", later
        return None

    def _ticked(self, state: State) -> State:
        after = self.functions.notification(state, pinned=state.pinned)
        while after.steps:
            after = self.functions.go_on(after, 0)
        return self.canonical(after)

    def _disagreement(self, state: State) -> str | None:
        record = self.functions.records.values[state.record]
        wanted = Life.STOPPED if state.stop_wanted else Life.RUNNING
        if record is None or record.state is not wanted:
            return f"the record says {record and record.state}, the cluster is {wanted}"
        if state.pinned:
            return "a ReplicaSet is left pinned"
        if CLAIMED in state.commands:
            return f"c{state.commands.index(CLAIMED)} is left in line"
        if state.stop_wanted and (state.pods or record.queued):
            return "a stopped model has a pod" if state.pods else "a queued start is left"
        return self._wrong_winner(state)

    def _wrong_winner(self, state: State) -> str | None:
        """The command accepted last wins, unless somebody else changed the model after it was sent."""
        accepted = [number for number, status in enumerate(state.commands) if status == ACCEPTED]
        if not accepted:
            return None
        last = max(accepted, key=lambda number: state.sequences[number])
        if state.earlier[last]:
            return None
        if (self.bounds.commands[last].verb == "stop") != state.stop_wanted:
            return f"c{last} was accepted last and lost"
        return None

    def _path(self, index: int) -> str:
        ordinals: list[int] = []
        while index > 0:
            ordinals.append(self._ordinals[index])
            index = self._parents[index]
        state, lines = self._first, []
        for number, ordinal in enumerate(reversed(ordinals), 1):
            for place, (name, raw) in enumerate(self._moves(state)):
                if place == ordinal:
                    lines.append(f"  {number:2}. {name}")
                    state = self.canonical(raw)
                    break
        return "\n".join(lines)


def _listed(said: list[str]) -> str:
    return "".join(f"\n      then {line}" for line in said[:60])
