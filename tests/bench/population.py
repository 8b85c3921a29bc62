"""Many models that only Redis knows, as full as real ones: a pod, an endpoint, labels, who stopped them and a receipt."""

from collections.abc import Iterator
from datetime import UTC, datetime

from api_server import each
from place import parts

from events.model import ModelRef
from events.status import State
from functions.adapters.store import Store
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.record import Record, SeenPod
from functions.reconcile.ports import Commit

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACES = 20


def records(count: int) -> Iterator[Record]:
    for number in range(count):
        ref = ModelRef(namespace=f"team-{number % NAMESPACES:02d}", name=f"model-{number:05d}")
        pod = SeenPod(name=f"{ref.name}-predictor-7c9f8d6b5-x{number:04x}", gpus=1, memory=16 * 1024**3, own=30)
        yield Record(
            ref=ref,
            uid=f"00000000-0000-4000-8000-{number:012d}",
            version=100_000 + number,
            pods_version=200_000 + number,
            state=State.RUNNING,
            message="Serves requests.",
            since=MOMENT,
            gpus=1,
            memory=16 * 1024**3,
            endpoint=f"http://{ref.name}.{ref.namespace}.example.com",
            available=True,
            pods={f"10000000-0000-4000-8000-{number:012d}": pod},
            labels={"team": f"team-{number % NAMESPACES:02d}", "app.kubernetes.io/managed-by": "argo"},
            observed_at=MOMENT,
        )


def audit(record: Record, entries: int) -> tuple[AuditEntry, ...]:
    """As stops leave them: the command, and the state that it led to, in turn."""
    return tuple(_command(record, number) if number % 2 == 0 else _state(record) for number in range(entries))


def _command(record: Record, number: int) -> AuditEntry:
    return AuditEntry(
        time=MOMENT,
        ref=record.ref,
        action="stop",
        actor="system:serviceaccount:team:pipeline",
        state="stopping",
        reason="the nightly retraining needs the GPU",
        source="/tekton/pipelineruns/nightly",
        event_id=f"nightly-{number:02d}-{record.ref.name}",
        changed=True,
    )


def _state(record: Record) -> AuditEntry:
    return AuditEntry(
        time=MOMENT,
        ref=record.ref,
        action="state",
        actor="system:serviceaccount:team:pipeline",
        state="stopped",
        previous="stopping",
        message="All pods are gone; 1 GPU is free.",
    )


async def fill(redis_url: str, count: int, *, audit_entries: int = 1) -> None:
    async with parts(redis_url) as made:
        store: Store = made.store
        waiting = list(records(count))

        async def commit(record: Record) -> None:
            await store.commit(Commit(record.ref, 0, record, audit=audit(record, audit_entries)))

        await each(waiting, commit)
