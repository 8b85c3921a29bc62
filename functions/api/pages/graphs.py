"""Which InferenceGraphs ask a model: stopping it makes their requests fail, and KServe says nothing of that."""

from collections import defaultdict

from events.model import Kind, ModelRef
from functions.adapters.identity import User
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.pods import name_of
from functions.api.context import Api
from functions.api.pages.models_of_kind import models_of_kind
from functions.object_errors import Stage, one_object

Users = dict[tuple[str, str], list[str]]
"""By namespace and name of an InferenceService."""


async def graphs_using(api: Api, user: User, refs: list[ModelRef]) -> Users | None:
    """Names of graphs by model. None: not everything could be read, so the answer is unknown."""
    graphs = await models_of_kind(api, user, Kind.INFERENCE_GRAPH, (ref.namespace for ref in refs))
    if graphs is None:
        return None
    found: Users = defaultdict(list)
    for graph in graphs:
        with one_object(Stage.MODEL, name_of(graph.object)):
            for member in members_of(graph):
                found[member.namespace, member.name].append(graph.metadata["name"])
    return found
