"""What can go wrong in a step, told apart by what the caller should do about it."""

from enum import StrEnum

from events.errors import ModelswitchError


class Code(StrEnum):
    """Stable words that REST problems, `model.failed` and the audit share."""

    INVALID_TRANSITION = "InvalidTransition"
    STOP_IN_PROGRESS = "StopInProgress"
    QUOTA_EXCEEDED = "QuotaExceeded"
    AMBIGUOUS_MODEL = "AmbiguousModel"
    STOP_UNSUPPORTED = "StopUnsupported"
    START_UNSUPPORTED = "StartUnsupported"
    RELOAD_UNSUPPORTED = "ReloadUnsupported"
    NOT_ITS_ARTIFACT = "NotItsArtifact"
    CANARY_IN_PROGRESS = "CanaryInProgress"
    NOT_FOUND = "NotFound"
    FORBIDDEN = "Forbidden"
    UNAUTHENTICATED = "Unauthenticated"
    NOT_CONFIGURED = "NotConfigured"
    TOO_MANY_REQUESTS = "TooManyRequests"
    EVENTS_NOT_ALLOWED = "EventsNotAllowed"
    EXPIRED = "Expired"
    SUPERSEDED = "Superseded"
    CONFLICT = "Conflict"
    BUSY = "Busy"
    INVALID_REQUEST = "InvalidRequest"
    IDEMPOTENCY_KEY_REUSED = "IdempotencyKeyReused"
    TOO_LARGE = "TooLarge"
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    STORE_UNAVAILABLE = "StoreUnavailable"
    CLUSTER_REFUSED = "ClusterRefused"
    POLICY_REFUSED = "PolicyRefused"
    MALFORMED = "Malformed"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    NOT_READY = "NotReady"
    NOT_PUBLISHED = "NotPublished"
    BROKER_UNAVAILABLE = "BrokerUnavailable"
    INTERNAL_ERROR = "InternalError"


class StepError(ModelswitchError):
    """A step could not do what was asked: what happened, why, and what to do next."""

    status = 500

    def __init__(self, code: Code, message: str, next_action: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, next_action)
        self.code = code
        self.retry_after = retry_after


class Refused(StepError):
    """The command can't be done as things stand. Trying the same again changes nothing until the cause is gone."""

    status = 409


class NotFound(Refused):
    """There is no such model."""

    status = 404


class Conflict(StepError):
    """Somebody else kept changing the model. Asking again is right."""

    status = 409


class Temporary(StepError):
    """The cluster or Redis is away or overloaded, or another delivery is at work. Ask again after `retry_after` seconds."""

    status = 503


class TooMany(StepError):
    """One caller asks for more than its share. Ask again after `retry_after` seconds."""

    status = 429

    def __init__(self, message: str, next_action: str, retry_after: float) -> None:
        super().__init__(Code.TOO_MANY_REQUESTS, message, next_action, retry_after=retry_after)


class StoreUnavailable(Temporary):
    """Redis does not answer. A stop over REST is still done; everything else waits."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            Code.STORE_UNAVAILABLE,
            f"Redis does not answer: {detail}",
            "Wait and ask again; stops over REST work without Redis. Check REDIS_URL and the Redis pod.",
            retry_after=5,
        )


class StoreRebuilding(Temporary):
    """Redis was lost, and not every model has been read from the cluster since: a list would be short."""

    def __init__(self) -> None:
        super().__init__(
            Code.STORE_UNAVAILABLE,
            "the list of models is still being rebuilt from the cluster",
            "Ask again in a moment; the status of a single model is available.",
            retry_after=2,
        )


class ClusterUnavailable(Temporary):
    """The Kubernetes API does not answer, or asks to be asked later (429)."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(
            Code.CLUSTER_UNAVAILABLE,
            f"the Kubernetes API does not answer: {detail}",
            "Wait and ask again; check the API server's health and this service's network and credentials.",
            retry_after=retry_after or 2,
        )


class ClusterRefused(StepError):
    """The Kubernetes API will not do it: missing permission, an admission webhook, an invalid object."""

    status = 502

    def __init__(self, detail: str) -> None:
        super().__init__(
            Code.CLUSTER_REFUSED,
            f"the Kubernetes API refused: {detail}",
            "See the API server's message above; grant the permission or fix the object, then retry.",
        )


class PolicyRefused(ClusterRefused):
    """An admission policy or webhook of the cluster denies the change, as in a change freeze: trying again is no use."""

    status = 403

    def __init__(self, detail: str) -> None:
        StepError.__init__(
            self,
            Code.POLICY_REFUSED,
            f"a policy of the cluster does not allow it: {detail}",
            "Wait until that policy allows the change, or ask its owner; then retry.",
        )


class PreconditionFailed(ModelswitchError):
    """A guarded PATCH found the model changed since the look. The step looks again."""


class Superseded(ModelswitchError):
    """A later command has already been applied to this model."""
