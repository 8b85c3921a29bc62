"""Which InferenceGraphs ask a model: stopping it makes their requests fail, and KServe says nothing of that."""

from collections import defaultdict

from events.model import Kind, ModelRef
from functions.adapters.cluster import Missing
from functions.adapters.identity import User
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import Resources
from functions.api.context import Api
from functions.lifecycle.errors import StepError
from functions.object_errors import Stage, one_object

Users = dict[tuple[str, str], list[str]]
"""By namespace and name of an InferenceService."""


async def graphs_using(api: Api, user: User, refs: list[ModelRef]) -> Users | None:
    """Names of graphs by model. None: not everything could be read, so the answer is unknown."""
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
        for item in items:
            with one_object(Stage.MODEL, name_of(item)):
                graph = Model(Kind.INFERENCE_GRAPH, item)
                for member in members_of(graph):
                    found[namespace, member.name].append(graph.metadata["name"])
    return found
