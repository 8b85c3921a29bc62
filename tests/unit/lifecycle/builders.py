"""Short ways to say what was seen."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from asks import Ask, Step, begin

from events.commands import StartRequested, StopRequested
from events.model import ModelRef
from events.status import Hold, HoldKind
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import STOP_ANNOTATION, Answer, Answered, Mode, Observation, Owner, Pod, PodAnswer
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION, LastRunPod, StopNote

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = Limits(start_deadline=timedelta(minutes=15))
REPLICA_SET = Owner("ReplicaSet", "scorer-predictor-abc", "rs-1")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_pod(name: str = "scorer-0", **changes: Any) -> Pod:
    values: dict[str, Any] = {
        "uid": f"uid-{name}",
        "name": name,
        "component": "predictor",
        "ready": True,
        "node": "node1",
        "gpus": 1,
        "memory": 8 * 1024**3,
        "requests": {"requests.nvidia.com/gpu": "1", "requests.memory": "8589934592"},
        "grace": 30,
        "deleting": False,
        "deletion_grace": None,
        "owner": REPLICA_SET,
        "serves": True,
        "answer": PodAnswer(Answered.LOADED),
        "ready_since": NOW,
    }
    return Pod(**{**values, **changes})


def terminating(pod: Pod, grace: int | None = None) -> Pod:
    """From NOW on."""
    seconds = pod.grace if grace is None else grace
    return replace(pod, deleting=True, deletion_grace=seconds, ends_by=later(seconds))


def running(*pods: Pod, **changes: Any) -> Observation:
    """A model that KServe calls Ready, with these pods (one ready pod by default)."""
    values: dict[str, Any] = {
        "ref": REF,
        "observed_at": NOW,
        "exists": True,
        "uid": "model-1",
        "version": 10,
        "pods_version": 10,
        "annotations": {},
        "mode": Mode.STANDARD,
        "ready": Answer.TRUE,
        "stopped_condition": Answer.FALSE,
        "url": "http://scorer.fraud.example.com",
        "pods": pods or (a_pod(),),
    }
    return Observation(**{**values, **changes})


def a_stop_note(**changes: Any) -> StopNote:
    values: dict[str, Any] = {
        "holds": (Hold(kind=HoldKind.USER, actor="oncall", since=NOW),),
        "source": "/test",
        "command": "stop-1",
        "since": NOW,
        "endpoint": "http://scorer.fraud.example.com",
        "pods": (
            LastRunPod(
                uid="uid-scorer-0",
                name="scorer-0",
                component="predictor",
                gpus=1,
                memory=8 * 1024**3,
                grace=30,
                requests={"requests.nvidia.com/gpu": "1"},
            ),
        ),
    }
    return StopNote(**{**values, **changes})


def stop_set(*pods: Pod, stop_note: StopNote | None = None, said: bool = True, **changes: Any) -> Observation:
    """The stop annotation is there. `said`: KServe's status shows Stopped; `stop note` None: it was set outside."""
    annotations = {STOP_ANNOTATION: "true"}
    if stop_note:
        annotations[STOP_NOTE_ANNOTATION] = stop_note.dump()
    values: dict[str, Any] = {
        "annotations": annotations,
        "stop_note": stop_note,
        "pods": pods,
        "url": None,
        "ready": Answer.FALSE if said else Answer.TRUE,
        "ready_reason": "Stopped" if said else None,
        "stopped_condition": Answer.TRUE if said else Answer.FALSE,
        "version": 20,
        "pods_version": 20,
        "observed_at": later(1),
    }
    return running(**{**values, **changes})


def without_pods(seen: Observation, **changes: Any) -> Observation:
    return Observation(**{**vars(seen), "pods": (), **changes})


def stop(**changes: Any) -> Request:
    fields = {key: changes.pop(key) for key in list(changes) if key in StopRequested.model_fields}
    values: dict[str, Any] = {"ref": REF, "source": "/test", "id": "stop-1", "actor": "oncall"}
    return Request(command=StopRequested(**fields), **{**values, **changes})


def start(**changes: Any) -> Request:
    fields = {key: changes.pop(key) for key in list(changes) if key in StartRequested.model_fields}
    values: dict[str, Any] = {"ref": REF, "source": "/test", "id": "start-1", "actor": "pipeline"}
    return Request(command=StartRequested(**fields), **{**values, **changes})


def patched(annotations: dict[str, str], operations: Any) -> dict[str, str]:
    """What a JSON Patch on annotations leaves; fails as the API server would where a test does."""
    after = dict(annotations)
    for operation in operations:
        key = operation["path"].rsplit("/", 1)[1].replace("~1", "/").replace("~0", "~")
        match operation["op"], key:
            case "test", "uid":
                assert operation["value"] == "model-1"
            case "test", "annotations":
                assert not annotations
            case "test", _:
                assert after.get(key) == operation["value"], f"test of {key}"
            case "add", "annotations":
                after = {}
            case "add", _:
                after[key] = operation["value"]
            case "remove", _:
                del after[key]
    return after


def stop_note_in(annotations: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads(annotations[STOP_NOTE_ANNOTATION]))


def played(step: Step, *answers: Any) -> tuple[list[Ask], Any]:
    """What a step asked for when the outside answers so (an exception is thrown in), and what came of it.

    The second is its answer, the StepError that the caller would see, or None where it still waits.
    """
    asks = [begin(step)]
    for answer in answers:
        try:
            asks.append(step.throw(answer) if isinstance(answer, Exception) else step.send(answer))
        except StopIteration as end:
            return asks, end.value
        except StepError as error:
            return asks, error
    return asks, None
