"""What a list or watch asks for, read once from the query string."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.local.kubernetes import selectors
from functions.local.kubernetes.errors import ApiError, bad_request
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.store import Obj

TRUE = ("1", "true", "True")


@dataclass(frozen=True)
class Target:
    """What a URL names. `name` "" means the collection, `namespace` "" all namespaces or none."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class Query:
    """One list or watch: whose objects, which of them, from where, how many."""

    target: Target
    labels: selectors.Match
    fields: selectors.Match
    selective: bool
    version: str
    exact: bool
    limit: int
    token: str
    timeout: float
    bookmarks: bool
    initial_events: bool
    table: bool

    def match(self, obj: Obj) -> bool:
        """Whether the object is one of those asked for."""
        namespace, name = self.target.namespace, self.target.name
        meta = obj["metadata"]
        if namespace and meta.get("namespace") != namespace:
            return False
        if name and meta["name"] != name:
            return False
        return not self.selective or (self.labels(obj) and self.fields(obj))


def read(target: Target, params: Mapping[str, str], *, table: bool = False) -> Query:
    """Raises 400 for a selector or number that can't be read."""
    label, field = params.get("labelSelector", ""), params.get("fieldSelector", "")
    return Query(
        target=target,
        labels=selectors.labels(label),
        fields=selectors.fields(field, target.resource),
        selective=bool(label or field),
        version=_version(params.get("resourceVersion", "")),
        exact=params.get("resourceVersionMatch") == "Exact",
        limit=_number(params, "limit"),
        token=params.get("continue", ""),
        timeout=_number(params, "timeoutSeconds"),
        bookmarks=params.get("allowWatchBookmarks") in TRUE,
        initial_events=params.get("sendInitialEvents") in TRUE,
        table=table,
    )


def _version(text: str) -> str:
    if text and not text.isdigit():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", why)
    return text


def _number(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "")
    if text and not text.isdigit():
        raise bad_request(f"{name}: got {text!r}, expected a whole number")
    return int(text or 0)
