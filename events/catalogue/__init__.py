"""Every event there is: its type, its model, its JSON Schema. `python -m events.catalogue` writes what derives from it."""

from events.catalogue.types import MODELS, NOTIFICATIONS, schema_uri

__all__ = ["MODELS", "NOTIFICATIONS", "schema_uri"]
