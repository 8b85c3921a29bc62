"""The event that the artifact is on the claim, for the broker."""

import uuid

from cloudevents.http import CloudEvent

from events.artifact import ArtifactWritten, Completeness
from events.envelope import build
from functions.admin.pvc.loading import Loaded
from functions.admin.pvc.planning import Plan

SOURCE = "/modelswitch/cli/pvc"
WRITTEN_BY = "modelswitch pvc apply"


def written(plan: Plan, loaded: Loaded) -> CloudEvent:
    """Its id is the same however often it is told, so that it counts once."""
    wish = plan.wish
    event = ArtifactWritten(
        uri=str(wish.target),
        namespace=wish.namespace,
        digest=loaded.digest,
        size=loaded.size,
        complete=Completeness.SUCCESS_FILE,
        expected_digest=wish.digest_expected,
        written_by=WRITTEN_BY,
        reason=f"copied from {(plan.loaded or {}).get('source') or plan.source}",
        strategy=wish.strategy,
    )
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{event.ref.subject} {loaded.digest}")
    return build(event, event.ref, source=SOURCE, id=str(identity))
