"""Which models a writing concerns, and the reload requests that come of it, each the same however often it is told."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from events.artifact import Artifact
from events.commands import ReloadRequested
from events.errors import Impossible
from events.location import Location
from events.model import Kind, ModelRef
from functions.adapters.cluster import Forbidden, Missing
from functions.adapters.kserve.artifacts import artifacts_of
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import named
from functions.artifact_written.reading import Writing
from functions.composition import Parts
from functions.lifecycle.effects import Action, AuditEntry, Published
from functions.lifecycle.errors import Code, Refused, Temporary
from functions.object_errors import Stage, one_object

_NEAR_SHOWN = 3
_REFUSALS_KEPT = 16
"""Of one event that names no namespace: in so many namespaces that refuse it at most."""
_REQUESTS = uuid.uuid5(uuid.NAMESPACE_URL, "https://modelswitch.dev/reload-requests")


async def ask_for_reloads(parts: Parts, writing: Writing) -> int:
    """How many models were asked to reload: only those of namespaces that let this sender say so.

    Impossible (422): the claim is not there. Temporary (503): Redis does not know all models yet, so some might be missed.
    """
    written = writing.written
    if writing.expired:
        await parts.store.write_refusal(_entry(writing, f"dropped: it expired at {writing.expires_at}", Code.EXPIRED))
        return 0
    if not await parts.store.synced():
        raise Temporary(
            Code.BUSY,
            "the models are being read again, and one that loads this artifact might be missed",
            "Send it again in a moment.",
            retry_after=5,
        )
    found = await parts.store.concerned(written.location, written.namespace)
    refs = await _consenting(parts, writing, found)
    if found and not refs:
        return 0
    if not refs and written.location.claim and written.namespace:
        if not writing.sender.ours and await _refusal(parts, writing, written.namespace):
            return 0
        await _check_claim(parts, written.namespace, written.location.claim)
        refs = await _listed(parts, written.namespace, written.location)
    await parts.store.publish([_request(writing, ref) for ref in refs])
    names = ", ".join(ref.name for ref in refs[:10]) or f"no model{await _why_none(parts, writing)}"
    message = f"{written.uri} ({written.digest}, {written.complete}) is loaded by {names}"
    write = parts.store.write_audit if refs else parts.store.write_refusal  # of no model it is no history
    await write(_entry(writing, message))
    return len(refs)


async def _why_none(parts: Parts, writing: Writing) -> str:
    """What comes near it: of the same image or repository, another tag, digest or revision."""
    written = writing.written
    near = await parts.store.other_versions(written.location, written.namespace)
    others = [f"{ref.namespace}/{ref.name} loads {uri}" for uri, ref in near[:_NEAR_SHOWN]]
    return f": {', '.join(others)}, which is another version of it" if others else ""


async def _consenting(parts: Parts, writing: Writing, refs: list[ModelRef]) -> list[ModelRef]:
    """Without the models of namespaces that take no such word from this sender; each of those is told once."""
    places = {ref.namespace: ref for ref in reversed(refs)}
    if writing.sender.ours:
        return refs
    refused = {place: why for place in places if (why := await _refusal(parts, writing, place))}
    for place in sorted(refused)[:_REFUSALS_KEPT]:
        entry = _entry(writing, refused[place].message, refused[place].code)
        await parts.store.write_refusal(replace(entry, ref=places[place]))
    return [ref for ref in refs if ref.namespace not in refused]


async def _refusal(parts: Parts, writing: Writing, namespace: str) -> Refused | None:
    sender = writing.sender
    return (await parts.consents.ask(namespace, "artifact", sender.source, sender.user))[1]


async def _check_claim(parts: Parts, namespace: str, claim: str) -> None:
    try:
        await parts.cluster.get(named(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim))
    except Forbidden:
        return
    except Missing as error:
        raise Impossible(
            f"an artifact on claim {claim}, which is not in namespace {namespace}",
            "a claim of that namespace: models load from their own namespace's claims only",
            "Correct the namespace or the claim: kubectl get pvc -A.",
        ) from error


async def _listed(parts: Parts, namespace: str, location: Location) -> list[ModelRef]:
    """One list, for a model so new that it was not observed yet."""
    try:
        items = await parts.cluster.list_all(await parts.resources.collection(Kind.INFERENCE_SERVICE, namespace))
    except Missing:
        return []
    found: list[ModelRef] = []
    for item in items:
        with one_object(Stage.MODEL, name_of(item)):
            model = Model(Kind.INFERENCE_SERVICE, item)
            if any(location.overlaps(Location.parse(uri)) for uri in artifacts_of(model)):
                found.append(ModelRef(namespace=namespace, name=model.metadata["name"]))
    return found


def _request(writing: Writing, ref: ModelRef) -> Published:
    """Signed when it leaves, for the verified sender of the writing.

    Its id derives from the writing and the model: however often it is delivered, one reload is requested.
    """
    written = writing.written
    artifact = Artifact.model_validate(written.model_dump(include=set(Artifact.model_fields)))
    command = ReloadRequested(
        actor=written.written_by,
        reason=written.reason,
        artifact=artifact,
        strategy=written.strategy,
        settle=writing.settle,
    )
    return Published(
        id=str(uuid.uuid5(_REQUESTS, f"{writing.sender.source}\0{writing.id}\0{ref.subject}")),
        ref=ref,
        event=command,
        time=datetime.now(UTC),
        correlation_id=writing.correlation_id,
        traceparent=writing.traceparent,
        on_behalf_of=writing.sender.actor,
    )


def _entry(writing: Writing, message: str, code: Code | None = None) -> AuditEntry:
    return AuditEntry(
        time=datetime.now(UTC),
        ref=None,
        action=Action.ARTIFACT_WRITTEN,
        actor=writing.sender.actor,
        claimed_actor=writing.sender.claimed_actor,
        code=code,
        message=message,
        source=writing.sender.source,
        event_id=writing.id,
        correlation_id=writing.correlation_id,
    )
