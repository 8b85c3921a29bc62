"""What REST answers, and how OpenAPI describes it."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from events.commands import StartRequested, StopRequested
from events.model import Frozen, Kind
from events.status import ModelStatus
from functions.api.problems import Problem
from functions.problem_document import MEDIA_TYPE

MOST_MODELS = 1000
KindName = Annotated[Kind, BeforeValidator(lambda text: Kind.parse(text) if isinstance(text, str) else text)]


class CommandAnswer(BaseModel):
    """`changed` false: it was already so. `recorded` false: done in the cluster while Redis was away.

    `queued`: not done yet, since `ahead` other commands of this model come first; it is done in its turn. `status` is
    then what was last known, null where nothing was.
    """

    status: ModelStatus | None
    changed: bool
    recorded: bool
    queued: bool = False
    ahead: int | None = None
    message: str | None = None


class ModelList(BaseModel):
    """One page. `continue` asks for the next; null at the end. `total` counts what the filters let through."""

    items: list[ModelStatus]
    next: str | None = Field(default=None, serialization_alias="continue")
    total: int


class BulkModel(Frozen):
    """Without a namespace: as for the paths that name none."""

    namespace: str | None = None
    name: str
    kind: KindName = Kind.INFERENCE_SERVICE


class BulkItem(BaseModel):
    """What became of one model. `status` is the HTTP status that it would have got by itself."""

    namespace: str | None
    name: str
    kind: str
    status: int
    changed: bool = False
    queued: bool = False
    ahead: int | None = None
    code: str | None = None
    message: str | None = None
    next_action: str | None = None
    retry_after: float | None = None


class BulkAnswer(BaseModel):
    items: list[BulkItem]
    accepted: int
    failed: int


class HistoryEntry(BaseModel):
    """One line of the history. `code` is there where something was refused.

    `actor` is verified: a user's name, or `event:SOURCE`. `claimed_actor` is what the sender says of itself.
    """

    id: str
    time: str
    namespace: str | None
    name: str | None
    kind: str | None
    action: str
    actor: str
    claimed_actor: str | None
    state: str | None
    previous: str | None
    code: str | None
    reason: str | None
    message: str | None
    source: str | None
    event_id: str | None
    correlation_id: str | None
    changed: bool


class History(BaseModel):
    items: list[HistoryEntry]


def _schema(model: type[BaseModel], **further: Any) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema["properties"].update(further)
    return schema


def _body(schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"required": False, "content": {"application/json": {"schema": schema, "examples": shown}}}


_QUEUE = {
    "queue": {
        "type": "boolean",
        "default": False,
        "description": "Where the model is still stopping: start it when the last pod is gone.",
    }
}
_STOP_SCHEMA = _schema(StopRequested)
_START_SCHEMA = _schema(StartRequested, **_QUEUE)
STOP_BODY = _body(
    _STOP_SCHEMA,
    graceful={"graceful": True, "timeout": "30s", "reason": "night"},
    at_once={"graceful": False},
)
START_BODY = _body(_START_SCHEMA, plain={"restore_autoscaling": True}, queued={"queue": True})


def bulk_body(schema: dict[str, Any]) -> dict[str, Any]:
    """`models`, or a `selector` over `namespaces`; and the command's own fields."""
    properties = {
        "models": {
            "type": "array",
            "maxItems": MOST_MODELS,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "namespace": {"type": "string"},
                    "name": {"type": "string"},
                    "kind": {"enum": [kind.value for kind in Kind]},
                },
            },
        },
        "selector": {"type": "string", "description": "Labels: a=b, or a=b,c=d.", "examples": ["team=search"]},
        "namespaces": {"type": "array", "items": {"type": "string"}, "description": "Default: all that you may list."},
        **schema["properties"],
    }
    return {
        **_body(
            {"type": "object", "additionalProperties": False, "properties": properties},
            by_name={"models": [{"namespace": "ml", "name": "iris"}], "reason": "night"},
            by_label={"selector": "team=search", "namespaces": ["ml"]},
        ),
        "required": True,
    }


BULK_STOP_BODY = bulk_body(_STOP_SCHEMA)
BULK_START_BODY = bulk_body(_START_SCHEMA)

KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 256},
    "description": "The same key gets the same answer again, for seven days.",
    "example": "3f0d2c1e-nightly",
}

_WHAT = {
    400: "Malformed: the body is not JSON",
    401: "Unauthenticated: no token, or one that the cluster does not know",
    403: "Forbidden: the cluster's RBAC says no; said before the model's existence is revealed. PolicyRefused: an admission "
    "policy or webhook denies the change",
    404: "NotFound",
    409: "InvalidTransition, StopInProgress (Retry-After), Held, QuotaExceeded, AmbiguousModel (candidates), "
    "StopUnsupported, StartUnsupported, CanaryInProgress, Conflict",
    429: "TooManyRequests: unknown tokens from one address, or event streams of one identity (Retry-After)",
    413: "TooLarge: more than 1 MiB",
    422: "InvalidRequest: a field is unknown or wrong; IdempotencyKeyReused",
    502: "ClusterRefused: the Kubernetes API will not do it",
    503: "ClusterUnavailable, StoreUnavailable, Busy: 64 commands wait for this model already (Retry-After)",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these statuses."""
    if 401 in statuses:
        statuses = (*statuses, 429)
    reference = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _WHAT[status], "content": {MEDIA_TYPE: {"schema": reference}}} for status in statuses
    }


COMMAND_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Nothing to do: it was already so (`changed` false).", "model": CommandAnswer},
    202: {"description": "Accepted by the cluster; or, with `queued`, in the model's line, to be done in its turn."},
    **problems(400, 401, 403, 404, 409, 413, 422, 502, 503),
}
READ_RESPONSES = problems(401, 403, 404, 422, 502, 503)
BY_NAME_RESPONSES = {**READ_RESPONSES, **problems(409)}
PROBLEM_SCHEMA = Problem.model_json_schema()
