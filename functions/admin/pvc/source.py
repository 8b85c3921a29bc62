"""Where a model's artifact is now, as its InferenceService says it (`storageUri`, or `storage` with a key and a path)."""

from dataclasses import dataclass, field
from typing import Any

from events.errors import shown
from events.location import Location
from functions.admin.pvc.errors import Refusal

Json = dict[str, Any]
DEFAULT_KEY = "default"


@dataclass(frozen=True)
class Source:
    """`uri` as KServe's storage initializer takes it. `key`: of the storage secret, None where credentials come from
    the ServiceAccount's secrets. `parameters` override what the secret says.
    """

    uri: str
    key: str | None = None
    parameters: Json = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.uri} (key {self.key} of the storage secret)" if self.key else self.uri


def model_of(isvc: Json) -> Json:
    """`spec.predictor.model`. Refusal: the predictor is something else."""
    predictor = (isvc.get("spec") or {}).get("predictor") or {}
    model = predictor.get("model")
    if not isinstance(model, dict):
        raise Refusal(
            f"InferenceService {isvc['metadata']['name']} has no spec.predictor.model; it brings its own container",
            "Set STORAGE_URI of its container to pvc://CLAIM/PATH by hand: how it is used depends on the container's image.",
        )
    if predictor.get("storageUris") or model.get("storageUris"):
        raise Refusal(
            "the model has storageUris, for which KServe mounts a claim's root and drops the path",
            "Give it one storageUri first.",
        )
    return model


def served_from(isvc: Json) -> str | None:
    """The storageUri; None where it has none."""
    return model_of(isvc).get("storageUri") or None


def source_of(isvc: Json, secret: dict[str, Json] | None) -> Source:
    """What is to be copied. `secret`: the storage secret's entries, decoded; None: it may not be read. Refusal: nothing
    is there, or nothing on S3.
    """
    model = model_of(isvc)
    name = isvc["metadata"]["name"]
    if uri := model.get("storageUri"):
        return Source(_on_s3(uri))
    storage = model.get("storage")
    if not storage:
        raise Refusal(f"InferenceService {name} names no artifact", "Copy a local folder: add --from FOLDER.")
    parameters = {str(key): value for key, value in (storage.get("parameters") or {}).items()}
    key = storage.get("key")
    entries = secret or {}
    entry_name = key or next((known for known in ("default_s3", DEFAULT_KEY) if known in entries), "default_s3")
    entry = entries.get(entry_name)
    if key and entry is None and secret is None and not parameters.get("bucket"):
        said = f"which bucket key {shown(key)} means is in the storage secret, which you may not read"
        raise Refusal(said, "Ask for the right to get it, or write the bucket into the model's storage.parameters.")
    if key and entry is None and secret is not None:
        raise Refusal(
            f"InferenceService {name} wants key {shown(key)} of the storage secret, which has {_names(entries)}",
            "Correct the secret or the key; KServe could not start the model either.",
        )
    told = {**(entry or {}), **parameters}
    if told.get("type", "s3") != "s3" or not told.get("bucket"):
        raise Refusal(
            f"key {shown(entry_name)} of the storage secret names no S3 bucket (type {shown(told.get('type'))})",
            "Only S3 is copied inside the cluster: download it, and copy it with --from FOLDER.",
        )
    uri = f"s3://{told['bucket']}/{str(storage.get('path') or '').strip('/')}"
    return Source(_on_s3(uri), entry_name if key or entry is not None else None, parameters)


def _on_s3(uri: str) -> str:
    try:
        location = Location.parse(uri)
    except ValueError as error:
        raise Refusal(str(error), "Correct the model's storageUri.") from error
    if location.claim:
        raise Refusal(f"the model is served from {location} already", "To put something else there add --from FOLDER.")
    if location.scheme != "s3":
        raise Refusal(
            f"the model's artifact is at {shown(uri)}; only s3:// is copied inside the cluster",
            "Download it, and copy it with --from FOLDER.",
        )
    return uri


def _names(secret: dict[str, Json]) -> str:
    return ", ".join(sorted(secret)) or "no entry"
