"""One state of the world that the search walks through: cluster, store, broker, steps in flight, and what is watched."""

from typing import NamedTuple

from renumber import REVISION, UID, VERSION, Pool, lowest

ABSENT, TRUE, FALSE = range(3)
STOP_VALUES = (None, "true", "false")

# Of a ReplicaSet: its Deployment stands, it is terminating (only a pin keeps it), its Deployment is gone.
LIVE, TERMINATING, ORPHAN = range(3)
# Of a pod: made, ready, terminating with its own grace, terminating with the grace of a forced stop.
MADE, READY, ENDING, ENDING_FAST = range(4)
# Of a command: never claimed, claimed and not answered, accepted, dropped for good, refused over REST.
FRESH, CLAIMED, ACCEPTED, DROPPED, REFUSED = range(5)


class State(NamedTuple):
    """All numbers. `stop note`, `record`, `plan` and `steps` are numbers of values in pools.

    `changed`: the version at which what KServe is asked for last changed. `effective`: how many PATCHes of each command
    had an effect since the last outside change. `earlier`: which commands were claimed before an outside change.
    """

    stop: int
    stop_note: int
    said_stopped: bool
    deployed: bool
    sets: tuple[tuple[int, int, bool], ...]
    pods: tuple[tuple[int, int, int], ...]
    version: int
    revision_of_list: int
    changed: int
    record: int
    revision: int
    plan: int
    sequences: tuple[int, ...]
    commands: tuple[int, ...]
    effective: tuple[int, ...]
    earlier: tuple[bool, ...]
    steps: tuple[int, ...]
    newest_uid: int
    outside_left: int
    jumps_left: int

    @property
    def stop_wanted(self) -> bool:
        return self.stop == TRUE

    @property
    def pinned(self) -> bool:
        return any(pinned for _, _, pinned in self.sets)

    def bumped(self, **changes: object) -> "State":
        """After a change of the model's object: a new resourceVersion, of the object and so of the whole."""
        number = self.revision_of_list + 1
        return self._replace(version=number, revision_of_list=number, **changes)

    def stirred(self, **changes: object) -> "State":
        """After a change of anything but the model's object."""
        return self._replace(revision_of_list=self.revision_of_list + 1, **changes)


def running(commands: int, *, outside: int, jumps: int) -> State:
    """A model that runs, never looked at; nothing was sent yet."""
    return State(
        stop=ABSENT,
        stop_note=0,
        said_stopped=False,
        deployed=True,
        sets=((UID + 1, LIVE, False),),
        pods=((UID + 2, UID + 1, READY),),
        version=VERSION + 1,
        revision_of_list=VERSION + 1,
        changed=VERSION + 1,
        record=0,
        revision=REVISION + 1,
        plan=0,
        sequences=(0,) * commands,
        commands=(FRESH,) * commands,
        effective=(0,) * commands,
        earlier=(False,) * commands,
        steps=(),
        newest_uid=UID + 2,
        outside_left=outside,
        jumps_left=jumps,
    )


def canonical(state: State, stop_notes: Pool, records: Pool, plans: Pool, processes: object) -> State:
    """The same state with the lowest numbers, and its steps in order."""
    numbers = {state.version, state.revision_of_list, state.changed, state.revision}
    numbers.update(number for number in state.sequences if number)
    for uid, _, _ in state.sets:
        numbers.add(uid)
    for uid, owner, _ in state.pods:
        numbers.update((uid, owner))
    numbers.update(stop_notes.numbers[state.stop_note])
    numbers.update(records.numbers[state.record])
    numbers.update(plans.numbers[state.plan])
    for step in state.steps:
        numbers.update(processes.numbers[step])
    ranks = lowest(numbers)
    newest = max((rank for rank in ranks.values() if rank > UID), default=UID)
    if all(old == new for old, new in ranks.items()):
        return state._replace(steps=tuple(sorted(state.steps)), newest_uid=newest)
    return state._replace(
        stop_note=stop_notes.rename(state.stop_note, ranks),
        sets=tuple((ranks[uid], phase, pinned) for uid, phase, pinned in state.sets),
        pods=tuple((ranks[uid], ranks[owner], phase) for uid, owner, phase in state.pods),
        version=ranks[state.version],
        revision_of_list=ranks[state.revision_of_list],
        changed=ranks[state.changed],
        record=records.rename(state.record, ranks),
        revision=ranks[state.revision],
        plan=plans.rename(state.plan, ranks),
        sequences=tuple(ranks[number] if number else 0 for number in state.sequences),
        steps=tuple(sorted(processes.rename(step, ranks) for step in state.steps)),
        newest_uid=newest,
    )
