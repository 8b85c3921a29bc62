"""Which InferenceGraphs ask a model: stopping it makes their requests fail, and KServe says nothing of that."""

from collections import defaultdict

from events.model import Kind, ModelRef
from functions.adapters.cluster import Json, Missing
from functions.adapters.identity import User
from functions.adapters.kserve.resources import Resources
from functions.api.context import Api
from functions.lifecycle.errors import StepError

Users = dict[tuple[str, str], list[str]]
"""By namespace and name of an InferenceService."""


async def graphs_using(api: Api, user: User, refs: list[ModelRef]) -> Users | None:
    """Names of graphs by model. None: not everything could be looked at, so nobody can say."""
    resources = Resources(api.parts.cluster)
    found: Users = defaultdict(list)
    for namespace in sorted({ref.namespace for ref in refs}):
        if not await api.access.may(user, "list", Kind.INFERENCE_GRAPH, namespace):
            return None
        try:
            items = await api.parts.cluster.list_all(await resources.collection(Kind.INFERENCE_GRAPH, namespace))
        except Missing:
            continue
        except StepError:
            return None
        for graph in items:
            for name in members(graph):
                found[namespace, name].append(graph["metadata"]["name"])
    return found


def members(graph: Json) -> set[str]:
    """The InferenceServices that a graph's steps name."""
    nodes = ((graph.get("spec") or {}).get("nodes") or {}).values()
    return {step["serviceName"] for node in nodes for step in node.get("steps") or [] if step.get("serviceName")}
