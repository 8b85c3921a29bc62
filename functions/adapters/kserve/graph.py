"""The models that an InferenceGraph sends requests to."""

from collections.abc import Iterator

from events.model import Kind, ModelRef, is_name
from functions.adapters.cluster import Json
from functions.adapters.kserve.model import Model

MOST_MEMBERS = 100
"""Of one graph; those that its first names are are looked at."""
_ROOT, _SPLITTER = "root", "Splitter"


def members_of(model: Model) -> tuple[ModelRef, ...]:
    """Return the models that steps name, each once, in the order of their names; no more than MOST_MEMBERS.

    A node that the node `root` does not lead to, and a Splitter's step of weight 0, get no request.
    """
    namespace = model.metadata.get("namespace")
    if model.kind is not Kind.INFERENCE_GRAPH or not namespace:
        return ()
    names = {name for step in _reached(model.spec.get("nodes") or {}) if (name := step.get("serviceName"))}
    known = sorted(name for name in names if is_name(name))[:MOST_MEMBERS]
    return tuple(ModelRef(namespace=namespace, name=name) for name in known)


def _reached(nodes: dict[str, Json]) -> Iterator[Json]:
    """Every step that a request may take."""
    open_nodes, seen = [_ROOT], {_ROOT}
    while open_nodes:
        node = nodes.get(open_nodes.pop()) or {}
        for step in node.get("steps") or []:
            if node.get("routerType") == _SPLITTER and step.get("weight") == 0:
                continue
            yield step
            following = step.get("nodeName")
            if following and following not in seen:
                seen.add(following)
                open_nodes.append(following)
