"""The storage URIs that a model loads from, in every form in which KServe names them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from events.location import Location
from events.model import Kind
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model
from functions.lifecycle.observation import ANY_PATH

INITIALIZER = "storage-initializer"
_BUCKETS = frozenset({"s3", "gs"})


def artifacts_of(model: Model, pods: Iterable[Json] = ()) -> tuple[str, ...]:
    """Normal forms, each once; what is no storage URI is left out, since no event can name it. `pods`: its own."""
    found: dict[str, None] = {}
    for uri in (*_named(model), *_in_buckets(model, pods)):
        try:
            found[str(Location.parse(uri))] = None
        except ValueError:
            continue
    return tuple(found)


def bucketless(model: Model, pods: Iterable[Json] = ()) -> tuple[str, ...]:
    """The paths whose bucket is neither in the model nor shown by a pod; ANY_PATH where not even a path is known."""
    if _is_based(model):
        return () if any(_shown_by(pods)) else (ANY_PATH,)
    shown = [Location.parse(uri).path for uri in _in_buckets(model, pods)]
    return tuple(path for path in dict.fromkeys(_without_bucket(model)) if path not in shown)


def _in_buckets(model: Model, pods: Iterable[Json]) -> Iterator[str]:
    """`storage: {key, path}`: the bucket is in a Secret, which is not ours to read. KServe has read it, and says the whole
    URI to the container that loads the model (CreateStorageSpecSecretEnvs in service_account_credentials.go).
    """
    if _is_based(model):
        yield from map(str, _shown_by(pods))
        return
    paths = set(_without_bucket(model))
    if paths:
        shown = _shown_by(pods)
        yield from (str(found) for found in shown if found.scheme in _BUCKETS and found.path in paths)


def _shown_by(pods: Iterable[Json]) -> Iterator[Location]:
    """What the containers that load models are told to load."""
    for pod in pods:
        containers = (pod.get("spec") or {}).get("initContainers") or []
        for container in (one for one in containers if one.get("name") == INITIALIZER):
            for uri in (container.get("args") or [])[::2]:
                with suppress(ValueError):
                    yield Location.parse(str(uri))


def _is_based(model: Model) -> bool:
    """Whether an LLM has its URI from an LLMInferenceServiceConfig (`baseRefs`), which we have no right to read."""
    named = (model.spec.get("model") or {}).get("uri") if model.kind is Kind.LLM_INFERENCE_SERVICE else True
    return not named and bool(model.spec.get("baseRefs"))


def _without_bucket(model: Model) -> Iterator[str]:
    for component in model.components:
        storage = (component.get("model") or {}).get("storage") or {}
        path = "/".join(part for part in str(storage.get("path") or "").split("/") if part)
        if path and not (storage.get("parameters") or {}).get("bucket"):
            yield path


def _named(model: Model) -> Iterator[str]:
    if model.kind is Kind.LLM_INFERENCE_SERVICE:
        served = model.spec.get("model") or {}
        yield str(served.get("uri") or "")
        yield from _of_adapters((served.get("lora") or {}).get("adapters"))
        return
    for component in model.components:
        yield from _of_component(component)


def _of_adapters(adapters: object) -> Iterator[str]:
    """LoRA adapters; the CRD has no schema for them, so anything may stand there."""
    for adapter in adapters if isinstance(adapters, list) else []:
        if isinstance(adapter, dict):
            yield str(adapter.get("uri") or "")


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
    """Where the bucket is in the model itself."""
    parameters = storage.get("parameters") or {}
    if storage.get("path") and parameters.get("bucket"):
        yield f"{parameters.get('type') or 's3'}://{parameters['bucket']}/{storage['path']}"


def _whole_claim(uri: str) -> str:
    """`storageUris` mounts the claim's root and drops the path."""
    return f"pvc://{uri.removeprefix('pvc://').split('/')[0]}" if uri.startswith("pvc://") else uri
