"""The storage URIs that a model loads from, in every form in which KServe names them (facts: where the artifact is named)."""

from collections.abc import Iterator

from events.location import Location
from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model


def artifacts_of(model: Model) -> tuple[str, ...]:
    """Normal forms, each once; what is no storage URI is left out, as nobody can tell of it by event."""
    found: dict[str, None] = {}
    for uri in _named(model):
        try:
            found[str(Location.parse(uri))] = None
        except ValueError:
            continue
    return tuple(found)


def _named(model: Model) -> Iterator[str]:
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        yield str((model.spec.get("model") or {}).get("uri") or "")
        return
    for component in ("predictor", "transformer", "explainer"):
        yield from _of_component(model.spec.get(component) or {})


def _of_component(component: Json) -> Iterator[str]:
    served = component.get("model") or {}
    yield str(served.get("storageUri") or "")
    yield from _of_storage(served.get("storage") or {})
    for mounted in component.get("storageUris") or []:
        yield _whole_claim(str(mounted.get("uri") or ""))
    for container in component.get("containers") or []:
        for variable in container.get("env") or []:
            if variable.get("name") == "STORAGE_URI":
                yield str(variable.get("value") or "")


def _of_storage(storage: Json) -> Iterator[str]:
    """Only where the bucket is in the model itself: what is in the Secret `storage-config` is not ours to read."""
    parameters = storage.get("parameters") or {}
    if storage.get("path") and parameters.get("bucket"):
        yield f"{parameters.get('type') or 's3'}://{parameters['bucket']}/{storage['path']}"


def _whole_claim(uri: str) -> str:
    """`storageUris` mounts the claim's root and drops the path."""
    return f"pvc://{uri.removeprefix('pvc://').split('/')[0]}" if uri.startswith("pvc://") else uri
