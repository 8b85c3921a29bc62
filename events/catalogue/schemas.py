"""JSON Schema of every type's data."""

import json
from typing import Any

from events.catalogue.types import MODELS, schema_uri

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(event_type: str) -> dict[str, Any]:
    """The schema of what a receiver accepts as data."""
    return {"$schema": DIALECT, "$id": schema_uri(event_type), **MODELS[event_type].model_json_schema()}


def files() -> dict[str, str]:
    """Path below the repository's root -> text."""
    return {
        f"events/schemas/{event_type}.json": json.dumps(schema(event_type), indent=2) + "\n" for event_type in MODELS
    }
