"""The figures of a receipt: which pods count, what each held, and the grace that it got."""

from datetime import timedelta

import pytest
from builders import NOW, a_pod, a_stop_note, later, running, stop_set, terminating

from events.status import PodGrace
from functions.lifecycle.receipt import last_run_pods, merge, seen_pod, write_receipt
from functions.lifecycle.record import Run, SeenPod
from functions.lifecycle.stop_note import LastRunPod

GIB = 1024**3
RUN = Run(since=NOW, actor="oncall", key="k")


def a_last_pod(name="a", **changes):
    values = {
        "uid": f"uid-{name}",
        "name": name,
        "component": "predictor",
        "gpus": 2,
        "memory": 4 * GIB,
        "grace": 45,
        "requests": {},
    }
    return LastRunPod(**{**values, **changes})


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod("a", gpus=2), SeenPod(name="a", gpus=2, memory=8 * GIB, own=30)),
        (a_pod("a", node=None), SeenPod(name="a", gpus=0, memory=0, own=0)),
        (a_pod("a", finished=True), SeenPod(name="a", gpus=0, memory=0, own=30)),
        (terminating(a_pod("a"), 5), SeenPod(name="a", gpus=1, memory=8 * GIB, given=5, own=30)),
        (terminating(a_pod("a"), 0), SeenPod(name="a", gpus=1, memory=8 * GIB, own=30)),
    ],
)
def test_only_what_is_bound_to_a_node_and_alive_holds_anything(pod, expected):
    assert seen_pod(pod) == expected


def test_what_ran_at_the_stop_is_written_down_whole_and_ended_pods_are_not():
    seen = running(
        a_pod("a", component="transformer", gpus=2, grace=45), a_pod("b", node=None), a_pod("c", finished=True)
    )
    requests = {"requests.nvidia.com/gpu": "1", "requests.memory": "8589934592"}
    assert last_run_pods(seen) == (
        LastRunPod(
            uid="uid-a",
            name="a",
            component="transformer",
            gpus=2,
            memory=8 * GIB,
            grace=45,
            requests=requests,
            bound=True,
        ),
        LastRunPod(
            uid="uid-b",
            name="b",
            component="predictor",
            gpus=1,
            memory=8 * GIB,
            grace=30,
            requests=requests,
            bound=False,
        ),
    )


def test_pods_that_only_the_stop_note_knows_are_counted_as_they_were():
    pods = (a_last_pod("a"), a_last_pod("b", bound=False))
    assert merge({}, stop_set(stop_note=a_stop_note(pods=pods))) == {
        "uid-a": SeenPod(name="a", gpus=2, memory=4 * GIB, own=45),
        "uid-b": SeenPod(name="b", gpus=0, memory=0, own=0),
    }


def test_what_was_seen_outweighs_what_the_stop_note_says():
    known = {"uid-a": SeenPod(name="a", gpus=1, memory=GIB, given=3, own=30)}
    assert merge(known, stop_set(stop_note=a_stop_note(pods=(a_last_pod("a"),)))) == known


def test_a_pod_that_ends_keeps_the_most_it_held_and_the_last_grace_it_was_given():
    known = {"uid-a": SeenPod(name="a", gpus=2, memory=4 * GIB, given=90, own=30)}
    ending = terminating(a_pod("a", gpus=1, memory=8 * GIB, finished=True), 0)
    assert merge(known, stop_set(ending)) == {"uid-a": SeenPod(name="a", gpus=2, memory=4 * GIB, given=90, own=30)}
    forced = terminating(a_pod("a", gpus=3, memory=8 * GIB), 1)
    assert merge(known, stop_set(forced)) == {"uid-a": SeenPod(name="a", gpus=3, memory=8 * GIB, given=1, own=30)}
    assert known["uid-a"].given == 90


def test_a_pod_first_seen_while_it_ends_counts_with_what_is_seen_of_it():
    assert merge({}, stop_set(terminating(a_pod("a"), 5), a_pod("b"))) == {
        "uid-a": SeenPod(name="a", gpus=1, memory=8 * GIB, given=5, own=30),
        "uid-b": SeenPod(name="b", gpus=1, memory=8 * GIB, own=30),
    }


def test_a_receipt_adds_up_and_lists_each_pod_by_name_with_the_grace_it_got():
    ledger = {
        "3": SeenPod(name="c", gpus=0, memory=0),
        "2": SeenPod(name="b", gpus=2, memory=4 * GIB, own=45),
        "1": SeenPod(name="a", gpus=1, memory=8 * GIB, given=0, own=30),
    }
    receipt = write_receipt(ledger, RUN, NOW + timedelta(seconds=2.34567), complete=False)
    assert receipt.model_dump(mode="json") == {
        "pods": 3,
        "gpus": 3,
        "memory": "12Gi",
        "seconds": 2.346,
        "grace": [
            {"name": "a", "gpus": 1, "memory": "8Gi", "grace_seconds": 0, "server_seconds": None},
            {"name": "b", "gpus": 2, "memory": "4Gi", "grace_seconds": 45, "server_seconds": None},
            {"name": "c", "gpus": 0, "memory": "0Gi", "grace_seconds": None, "server_seconds": None},
        ],
        "stopped_at": "2026-03-01T12:00:02.345670Z",
        "actor": "oncall",
        "claimed_actor": None,
        "complete": False,
    }


def test_the_grace_that_was_pinned_counts_where_nobody_saw_the_pod_end():
    ledger = {
        "1": SeenPod(name="a", gpus=1, memory=GIB, given=7, own=30),
        "2": SeenPod(name="b", gpus=1, memory=GIB, own=30),
    }
    receipt = write_receipt(ledger, RUN.model_copy(update={"grace": 1}), later(1), complete=True)
    assert receipt.grace == (
        PodGrace(name="a", gpus=1, memory="1Gi", grace_seconds=7),
        PodGrace(name="b", gpus=1, memory="1Gi", grace_seconds=1),
    )
    assert receipt.complete


def test_a_stop_whose_beginning_nobody_saw_has_no_invented_duration():
    assert write_receipt({}, RUN.model_copy(update={"since": None}), NOW, complete=True).seconds is None
