"""What looks add up to: adoption, receipts, events; and that a repeat adds nothing."""

from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop_set, terminating, without_pods

from events.facts import ModelFailed, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.status import HoldKind, State
from functions.lifecycle.observation import Answer, Trouble
from functions.lifecycle.observe import observe

TWO = (a_pod("a"), a_pod("b", memory=2 * 1024**3))


def look(record, seen):
    return observe(record, seen, LIMITS)


def events(seen):
    return [type(published.event) for published in seen.events]


def test_a_model_made_before_us_is_adopted_without_an_event():
    first = look(None, running())
    assert first.record.state is State.RUNNING
    assert first.events == ()
    assert [entry.action for entry in first.audit] == ["adopted"]


def test_the_same_look_twice_adds_nothing():
    first = look(None, running())
    again = look(first.record, running())
    assert again.record == first.record
    assert (again.events, again.audit) == ((), ())


def test_a_stop_from_outside_is_adopted_with_its_actor_and_gets_a_receipt():
    ran = look(None, running(*TWO)).record
    draining = look(ran, stop_set(*map(terminating, TWO), stop_actor="kubectl-annotate"))
    assert draining.record.holds[0].kind is HoldKind.EXTERNAL
    assert draining.record.holds[0].actor == "external:kubectl-annotate"
    assert events(draining) == [ModelStopping]
    done = look(draining.record, stop_set(stop_actor="kubectl-annotate", observed_at=later(4)))
    assert events(done) == [ModelStopped]
    receipt = done.record.receipt
    assert (receipt.pods, receipt.gpus, receipt.memory, receipt.seconds) == (2, 2, "10Gi", 3.0)
    assert receipt.complete


def test_a_receipt_counts_what_ran_although_no_pod_was_ever_seen_ending():
    done = look(look(None, running()).record, stop_set(stop_note=a_stop_note(grace=1), observed_at=later(3)))
    receipt = done.record.receipt
    assert (receipt.pods, receipt.gpus, receipt.memory, receipt.seconds) == (1, 1, "8Gi", 3.0)
    assert receipt.grace[0].grace_seconds == 1


def test_a_receipt_survives_the_loss_of_redis():
    done = look(None, stop_set(stop_note=a_stop_note()))
    assert done.record.receipt.gpus == 1
    assert done.record.receipt.seconds is None
    assert done.record.receipt.actor == "oncall"


def test_the_grace_that_each_pod_really_got_is_kept():
    ran = look(None, running(*TWO)).record
    draining = look(ran, stop_set(terminating(TWO[0], 1), terminating(TWO[1], 90), stop_note=a_stop_note()))
    done = look(draining.record, stop_set(stop_note=a_stop_note(), observed_at=later(5)))
    given = {grace.name: grace.grace_seconds for grace in done.record.receipt.grace}
    assert (given["a"], given["b"]) == (1, 90)


def test_a_pod_that_is_bound_to_no_node_frees_nothing():
    pending = a_pod(node=None, ready=False)
    ran = look(None, running(pending, ready=Answer.FALSE)).record
    done = look(ran, stop_set(observed_at=later(2)))
    assert (done.record.receipt.pods, done.record.receipt.gpus) == (1, 0)


def test_a_model_stopped_before_anybody_looked_has_no_invented_receipt():
    assert look(None, stop_set()).record.receipt is None


def test_a_second_stop_gets_a_receipt_of_its_own():
    record = look(None, running(*TWO)).record
    record = look(record, stop_set(stop_note=a_stop_note(pods=()))).record
    assert record.receipt.pods == 2
    record = look(record, running(a_pod("c"), version=30, pods_version=30, observed_at=later(10))).record
    assert record.receipt.pods == 2
    again = stop_set(stop_note=a_stop_note(command="stop-2", pods=()), version=40, observed_at=later(20))
    assert look(record, again).record.receipt.pods == 1


def test_a_start_from_outside_is_adopted_and_its_left_behind_hold_ignored():
    stopped = look(None, stop_set(stop_note=a_stop_note())).record
    annotations = {"serving.kserve.io/stop": "false", "modelswitch.dev/stop": a_stop_note().dump()}
    seen = running(a_pod(ready=False), ready=Answer.FALSE, annotations=annotations, stop_note=a_stop_note())
    starting = look(stopped, seen)
    assert (starting.record.state, starting.record.holds) == (State.STARTING, ())
    assert events(starting) == [ModelStarting]
    assert starting.record.start.actor.startswith("external:")
    started = look(starting.record, running(annotations=annotations, observed_at=later(8)))
    assert events(started) == [ModelStarted]
    assert started.events[0].event.seconds == 8.0


def test_trouble_is_published_once_and_its_healing_too():
    trouble = Trouble("Unschedulable", "no GPU")
    ran = look(None, running()).record
    broken = running(a_pod(ready=False, trouble=trouble), ready=Answer.FALSE, observed_at=later(5))
    first = look(ran, broken)
    assert events(first) == [ModelFailed]
    assert first.events[0].event.code == "Unschedulable"
    assert events(look(first.record, broken)) == []
    assert events(look(first.record, running(observed_at=later(9)))) == [ModelStarted]


def test_the_endpoint_of_a_stopped_model_is_the_one_it_had():
    ran = look(None, running()).record
    assert look(ran, stop_set()).record.endpoint == "http://scorer.fraud.example.com"
    assert look(None, stop_set(stop_note=a_stop_note())).record.endpoint == "http://scorer.fraud.example.com"


def test_a_model_made_anew_under_the_same_name_begins_an_empty_record():
    old = look(None, stop_set(stop_note=a_stop_note())).record
    new = look(old, running(uid="model-2", version=50))
    assert new.record.receipt is None
    assert new.record.uid == "model-2"


def test_since_moves_only_with_the_state():
    first = look(None, running()).record
    later_ = look(first, running(observed_at=later(100))).record
    assert later_.since == NOW
    assert later_.observed_at == later(100)


def test_resources_are_counted_while_a_terminating_pod_still_holds_them():
    ran = look(None, running(*TWO)).record
    draining = look(ran, stop_set(terminating(TWO[0])))
    assert draining.record.gpus == 1
    assert look(draining.record, without_pods(stop_set())).record.gpus == 0


def test_status_uses_exactly_the_agreed_names():
    status = look(None, running()).record.status().model_dump(mode="json")
    assert {"name", "state", "last_transition", "resource_allocation", "endpoints"} <= set(status)
    assert status["resource_allocation"] == {"gpus": 1, "memory": "8Gi"}
    assert status["endpoints"] == {"inference": "http://scorer.fraud.example.com", "available": True}
    assert status["namespace"] == REF.namespace
