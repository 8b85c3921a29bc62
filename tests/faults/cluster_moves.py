"""What the cluster does of itself, one small thing at a time, and what others do to it.

KServe takes a Deployment away or makes one, and says so in its status; the Deployment's controller makes a ReplicaSet,
the ReplicaSet's a pod; the garbage collector follows; the kubelet starts and ends pods. None of them waits for another.
"""

from collections.abc import Iterator

from world_state import (
    ABSENT,
    ENDING,
    ENDING_FAST,
    FALSE,
    FRESH,
    LIVE,
    MADE,
    ORPHAN,
    READY,
    STOP_VALUES,
    TERMINATING,
    TRUE,
    State,
)

MOST_SETS, MOST_PODS = 2, 3
Moves = Iterator[tuple[str, State]]


def cluster_moves(state: State) -> Moves:
    if state.stop_wanted and not (state.said_stopped and not state.deployed):
        yield "KServe takes the Deployment away and says Stopped", _undeploy(state)
    if not state.stop_wanted and (state.said_stopped or not state.deployed):
        yield "KServe makes the Deployment", state.bumped(said_stopped=False, deployed=True)
    live = any(phase == LIVE for _, phase, _ in state.sets)
    if state.deployed and not live and len(state.sets) < MOST_SETS:
        yield "the Deployment makes a ReplicaSet", _with_set(state)
    for uid, phase, _ in state.sets:
        if phase == LIVE and not _has_pod(state, uid) and len(state.pods) < MOST_PODS:
            yield "the ReplicaSet makes a pod", _with_pod(state, uid)
        if phase == ORPHAN:
            yield "the garbage collector deletes the ReplicaSet", collect(state, uid)
    for number, (uid, owner, phase) in enumerate(state.pods):
        others = state.pods[:number], state.pods[number + 1 :]
        if phase == MADE:
            yield "a pod becomes ready", state.stirred(pods=(*others[0], (uid, owner, READY), *others[1]))
        if phase in {ENDING, ENDING_FAST}:
            yield "a pod is gone", state.stirred(pods=(*others[0], *others[1]))


def outside_moves(state: State) -> Moves:
    """Another actor uses KServe's annotation, as `kubectl annotate` does."""
    if not state.outside_left:
        return
    for value in (ABSENT, TRUE, FALSE):
        if value != state.stop:
            changed = with_stop(state, value, state.stop_note)
            yield (
                f"another actor sets the stop annotation to {STOP_VALUES[value]}",
                changed._replace(
                    outside_left=state.outside_left - 1,
                    effective=(0,) * len(state.effective),
                    earlier=tuple(status != FRESH for status in state.commands),
                ),
            )


def with_stop(state: State, value: int, stop_note: int) -> State:
    after = state.bumped(stop=value, stop_note=stop_note)
    return after._replace(changed=after.version) if after.stop_wanted != state.stop_wanted else after


def collect(state: State, uid: int) -> State:
    """A ReplicaSet is deleted: pinned it stays, terminating, and keeps its pods; else its pods end after it."""
    pinned = any(pinned for other, _, pinned in state.sets if other == uid)
    if pinned:
        return state.stirred(
            sets=tuple((other, TERMINATING if other == uid else phase, pin) for other, phase, pin in state.sets)
        )
    return state.stirred(
        sets=tuple(item for item in state.sets if item[0] != uid),
        pods=end(state.pods, {uid}, ENDING),
    )


def pin(state: State, uids: set[int]) -> State:
    return state.stirred(sets=tuple((uid, phase, pin or uid in uids) for uid, phase, pin in state.sets))


def unpin(state: State, uids: set[int]) -> State:
    """What was only kept by its pin goes, and the garbage collector ends what pods it has left."""
    after = state.stirred(sets=tuple((uid, phase, pin and uid not in uids) for uid, phase, pin in state.sets))
    for uid, phase, pinned in after.sets:
        if phase == TERMINATING and not pinned:
            after = collect(after, uid)
    return after


def end_pods(state: State, uids: set[int]) -> State:
    return state.stirred(pods=end(state.pods, uids, ENDING_FAST))


def all_terminating(state: State, uids: set[int]) -> bool:
    return all(phase == TERMINATING for uid, phase, _ in state.sets if uid in uids)


def end(pods: tuple[tuple[int, int, int], ...], owners: set[int], phase: int) -> tuple[tuple[int, int, int], ...]:
    return tuple((uid, owner, phase if owner in owners and now in {MADE, READY} else now) for uid, owner, now in pods)


def _undeploy(state: State) -> State:
    sets = tuple((uid, ORPHAN if phase == LIVE else phase, pin) for uid, phase, pin in state.sets)
    return state.bumped(said_stopped=True, deployed=False, sets=sets)


def _has_pod(state: State, owner: int) -> bool:
    return any(of == owner and phase in {MADE, READY} for _, of, phase in state.pods)


def _with_set(state: State) -> State:
    new = state.newest_uid + 1
    return state.stirred(newest_uid=new, sets=(*state.sets, (new, LIVE, False)))


def _with_pod(state: State, owner: int) -> State:
    new = state.newest_uid + 1
    return state.stirred(newest_uid=new, pods=(*state.pods, (new, owner, MADE)))
