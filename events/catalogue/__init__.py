"""Every event there is: its type, its model, its JSON Schema. `python -m events.catalogue` writes what derives from it."""

from events.catalogue.types import HINTS, MODELS, schema_uri

__all__ = ["HINTS", "MODELS", "schema_uri"]
