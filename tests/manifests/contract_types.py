"""The event types that the contract knows, and how filters name them."""

from events.catalogue import types

NOTIFICATIONS = {f"dev.knative.apiserver.resource.{what}" for what in ("add", "update", "delete")}
PING = "dev.knative.sources.ping"
COMMANDS = {model.type for model in types.COMMANDS}
FACTS = {model.type for model in types.FACTS}


def types_in(filters):
    """Every type that a list of `exact` filters, or of `any` over them, lets through."""
    for one in filters:
        if "any" in one:
            yield from types_in(one["any"])
        elif "type" in one.get("exact", {}):
            yield one["exact"]["type"]
        elif "type" in one.get("prefix", {}):
            yield f"{one['prefix']['type']}…"
