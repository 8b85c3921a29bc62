"""What is copied, by which loader, and whether that was done before. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.admin.pvc import manifests
from functions.admin.pvc.credentials import copier, injected_uri
from functions.admin.pvc.errors import Refusal
from functions.admin.pvc.seen import Json, Seen, Unreadable
from functions.admin.pvc.source import Source, model_of, served_from, source_of
from functions.admin.pvc.verdicts import Change, Check, note, ok, refused
from functions.admin.pvc.volumes import record_key
from functions.admin.pvc.wish import Wish

_UID_RANGE = "openshift.io/sa.scc.uid-range"


@dataclass(frozen=True)
class Copying:
    """`loader` None: nothing is copied. `loaded`: what the claim says is on it. `source`: "folder", a URI, or ""."""

    checks: tuple[Check, ...]
    source: str = ""
    loaded: Mapping[str, Any] | None = None
    loader: Change | None = None
    leftover: Change | None = None


def plan_copying(wish: Wish, seen: Seen) -> Copying:
    """Refusal: there is nothing that could be copied, or something else is where it belongs."""
    source, serves_already = _source(wish, seen)
    loaded = _loaded(wish, seen, source)
    checks, loader = _loader(wish, seen, source, loaded, serves_already=serves_already)
    return Copying(
        checks=(ok("artifact", _told(wish, source, serves_already=serves_already)), *checks),
        source=source.uri if source else "folder" if wish.folder else "",
        loaded=loaded,
        loader=loader,
        leftover=_leftover(wish, seen, loaded),
    )


def _source(wish: Wish, seen: Seen) -> tuple[Source | None, bool]:
    """None: a local folder, or nothing at all since the model is served from there already (the second)."""
    model = seen.model or {}
    serves_already = served_from(model) == str(wish.target) or (
        seen.served is not None and served_from(seen.served) == str(wish.target)
    )
    if wish.folder:
        model_of(model)
        return None, serves_already
    if served_from(model) == str(wish.target):
        return None, True
    try:
        return source_of(model, seen.storage_secret), serves_already
    except Refusal:
        uri = injected_uri(seen.pods)
        if uri and uri.startswith("s3://") and model_of(model).get("storage"):
            return Source(uri), serves_already
        raise


def _told(wish: Wish, source: Source | None, *, serves_already: bool) -> str:
    if wish.folder:
        return f"{wish.folder.root}: {len(wish.folder.entries)} files, {wish.folder.size} bytes, {wish.folder.digest}"
    if source is None or serves_already:
        return f"{wish.name} is served from {wish.target} already"
    return f"{source} goes to {wish.target}"


def _loaded(wish: Wish, seen: Seen, source: Source | None) -> Mapping[str, Any] | None:
    """What the claim says of this artifact. Refusal: something else is in its place."""
    text = ((seen.claim or {"metadata": {}})["metadata"].get("annotations") or {}).get(record_key(wish))
    if not text:
        return None
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    wanted = wish.digest_expected
    same = found.get("digest") == wanted if wanted else source is None or found.get("source") == source.uri
    if same:
        return found
    raise Refusal(
        f"{wish.target} holds something else already: {found.get('digest')} from {found.get('source')}",
        "Nothing on a claim is overwritten: choose another --path, such as one with a version in it.",
    )


def _loader(
    wish: Wish, seen: Seen, source: Source | None, loaded: Mapping[str, Any] | None, *, serves_already: bool
) -> tuple[list[Check], Change | None]:
    if loaded:
        return [
            ok("copy", f"done before: {loaded.get('digest')}, {loaded.get('size')} bytes from {loaded.get('source')}")
        ], None
    if source is None and wish.folder is None:
        return [ok("copy", "not needed")], None
    if serves_already and source is not None:
        return [
            note(
                "copy",
                f"{wish.name} is served from {wish.target} already: what is on the claim is left unchanged",
            )
        ], None
    found = _copier(wish, seen, source)
    image = wish.loader_image or (found.container.get("image") if found else None)
    if not image:
        said = "nothing in the cluster says which image copies (no ClusterStorageContainer, no ConfigMap of KServe, that you may read)"
        return [refused("loader", said, "Name one with --loader-image; it needs sh, find, tar and sha256sum.")], None
    sandbox = _sandbox(wish, seen)
    if source is None or found is None:
        policy = None if wish.loader_image else (seen.initializer or {}).get("imagePullPolicy")
        made = manifests.loader_pod(wish, str(image), sandbox, policy)
        said = f"a Pod of {image} receives the folder, checks its digest, and is deleted"
        return _with_earlier(wish, seen, made, said)
    account = ((seen.model or {}).get("spec") or {}).get("predictor", {}).get("serviceAccountName")
    made = manifests.loader_job(wish, source, found, account, sandbox)
    said = f"a Job of {image} copies with {found.said}, and is deleted"
    return _with_earlier(wish, seen, made, said)


def _leftover(wish: Wish, seen: Seen, loaded: Mapping[str, Any] | None) -> Change | None:
    name = manifests.loader_name(wish, str((loaded or {}).get("source")))
    found = next((one for one in seen.loaders if loaded and one["metadata"]["name"] == name), None)
    return Change(_collection(wish, found["kind"]), found, found) if found else None


def _collection(wish: Wish, kind: str) -> str:
    api = "/api/v1" if kind == "Pod" else "/apis/batch/v1"
    return f"{api}/namespaces/{wish.namespace}/{kind.lower()}s"


def _with_earlier(wish: Wish, seen: Seen, made: Json, said: str) -> tuple[list[Check], Change]:
    """The same copy of an earlier run, one that was interrupted, goes on."""
    name = made["metadata"]["name"]
    earlier = next((one for one in seen.loaders if one["metadata"]["name"] == name), None)
    checks = [ok("loader", said)]
    if earlier:
        checks.append(note("loader", f"{made['kind']} {name} is there from an earlier run: it goes on"))
    return checks, Change(_collection(wish, made["kind"]), earlier, made)


def _copier(wish: Wish, seen: Seen, source: Source | None) -> manifests.Copier | None:
    initializer = seen.initializer
    if wish.loader_image:
        initializer = {**(initializer or {}), "image": wish.loader_image}
    return copier(source or Source(""), seen.pods, initializer, seen.storage_secret_name, seen.account_secrets)


def _sandbox(wish: Wish, seen: Seen) -> Json:
    """The pod's user. OpenShift chooses one of the namespace's own; elsewhere a new volume belongs to root without this."""
    namespace = seen.namespace if not isinstance(seen.namespace, Unreadable) else None
    chosen = _UID_RANGE in (((namespace or {}).get("metadata") or {}).get("annotations") or {})
    if chosen and wish.loader_user is None:
        return {}
    user = manifests.LOADER_USER if wish.loader_user is None else wish.loader_user
    return {
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
        }
    }
