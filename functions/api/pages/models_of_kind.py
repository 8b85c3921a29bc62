"""The models of a kind that a user may list, for pages that say what else a change concerns."""

from collections.abc import Iterable

from events.model import Kind
from functions.adapters.cluster import Missing
from functions.adapters.identity import User
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.pods import name_of
from functions.adapters.kserve.resources import Resources
from functions.api.context import Api
from functions.lifecycle.errors import StepError
from functions.object_errors import Stage, one_object


async def models_of_kind(api: Api, user: User, kind: Kind, namespaces: Iterable[str]) -> list[Model] | None:
    """None: not everything could be read, so that what they tell is unknown. One that is unreadable is left out."""
    resources = Resources(api.parts.cluster)
    found: list[Model] = []
    for namespace in sorted(set(namespaces)):
        if not await api.access.may(user, "list", kind, namespace):
            return None
        try:
            items = await api.parts.cluster.list_all(await resources.collection(kind, namespace))
        except Missing:
            continue
        except StepError:
            return None
        for item in items:
            with one_object(Stage.MODEL, name_of(item)):
                found.append(Model(kind, item))
    return found
