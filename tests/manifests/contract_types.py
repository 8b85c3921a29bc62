"""The event types that the contract knows, and how filters name them."""

from typing import get_args

from events.commands import ModelCommand
from events.facts import ModelFact

HINTS = {f"dev.knative.apiserver.resource.{what}" for what in ("add", "update", "delete")}
PING = "dev.knative.sources.ping"
COMMANDS = {model.type for model in get_args(ModelCommand)}
FACTS = {model.type for model in get_args(ModelFact)}


def types_in(filters):
    """Every type that a list of `exact` filters, or of `any` over them, lets through."""
    for one in filters:
        if "any" in one:
            yield from types_in(one["any"])
        elif "type" in one.get("exact", {}):
            yield one["exact"]["type"]
