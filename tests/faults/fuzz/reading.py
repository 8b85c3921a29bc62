"""Objects read in this process: whatever is in them, the model is observed, judged, and can be stored and shown."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from events.model import Kind, ModelRef
from functions.adapters import bounded_json
from functions.adapters.keys import commit_words
from functions.adapters.kserve.grace import _read_pin
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.metered import metered
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.observations import PodList, observe_object, servers_of
from functions.adapters.kserve.quota import Quota, find_shortages
from functions.lifecycle.decide import decide
from functions.lifecycle.scene import Limits
from functions.reconcile.ports import Commit
from fuzz.judge import Findings
from fuzz.objects import TENANT, Placed, hostile, to_json

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = {kind.plural: kind for kind in Kind}
LONGEST_RECORD = 300_000


def fuzz_objects(calls: int, start: int, found: Findings) -> None:
    """A model with its pods at a time; each object counts as a call."""
    before = found.calls

    @seed(start)
    @settings(max_examples=calls, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(objects=st.lists(hostile(), min_size=1, max_size=4))
    def run(objects: list[Placed]) -> None:
        if found.calls - before >= calls:
            return
        found.calls += len(objects)
        try:
            _read([Placed(one.plural, one.name, bounded_json.loads(to_json(one.body)), one.labels) for one in objects])
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            found.add(f"reading raised {type(error).__name__}: {ascii(str(error))[:160]}", objects)

    run()


def _read(objects: list[Placed]) -> None:
    pods = [one.body for one in objects if one.plural == "pods"]
    for one in objects:
        if one.plural in KINDS and isinstance(one.body, dict):
            _judge(
                KINDS[one.plural], one.name, one.body, pods, [q.body for q in objects if q.plural == "resourcequotas"]
            )
        elif one.plural in {"replicasets", "statefulsets"}:
            try:
                _read_pin({"kind": "ReplicaSet", **one.body} if isinstance(one.body, dict) else one.body)
            except (ValueError, KeyError, TypeError):
                continue
        elif one.plural == "resourcequotas":
            try:
                Quota.read(one.body)
            except KeyError:
                continue


def _judge(kind: Kind, name: str, body: Any, pods: list[Any], quotas: list[Any]) -> None:
    ref = ModelRef(namespace=TENANT, name=name, kind=kind)
    listed, known = PodList.read(ref, {"items": pods}), Model(kind, body)
    seen = observe_object(ref, known, listed, NOW)
    decision = decide(None, seen, None, Limits())
    again = decide(decision.record, seen, None, Limits())
    record = again.record
    _, words = commit_words(Commit(ref, 0, record, audit=(*decision.audit, *again.audit), events=again.events))
    if (length := sum(map(len, words))) > LONGEST_RECORD:
        raise ValueError(f"{length} characters to be stored for one model")
    record.status().model_dump_json()
    "".join(words).encode()
    members_of(known)
    list(servers_of(known, seen, listed))
    for item in listed.readable.values():
        metered(kind, item)
    find_shortages(known, seen.stop_note, quotas)
