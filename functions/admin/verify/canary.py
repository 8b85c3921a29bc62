"""The canary: a small request that a team keeps beside its model, in the ConfigMap `modelswitch-canary-NAME`."""

import json
import re
from dataclasses import dataclass
from typing import Any

from functions.adapters.cluster import Json

PREFIX = "modelswitch-canary-"
# No dots as a step and no escapes: through the API server's proxy they could lead away from the pod.
_PATH = re.compile(r"(/[A-Za-z0-9_~:@!$&'()*+,;=-][A-Za-z0-9._~:@!$&'()*+,;=-]*)+")


class Unusable(Exception):
    """The ConfigMap is there, and can't be meant so."""


@dataclass(frozen=True)
class Canary:
    """`path` None: the protocol's own. `expect` None: any JSON will do."""

    payload: Any
    path: str | None = None
    expect: Any = None


def read(config_map: Json) -> Canary:
    """Raises Unusable."""
    data = config_map.get("data") or {}
    if "payload" not in data:
        raise Unusable("it has no key `payload`")
    path = data.get("path")
    if path is not None:
        path = path.strip()
        if not _PATH.fullmatch(path):
            raise Unusable(f"`path` is {path!r}, expected one of the model's server, such as /v1/models/NAME:predict")
    return Canary(_json(data, "payload"), path, _json(data, "expect") if "expect" in data else None)


def _json(data: Json, key: str) -> Any:
    try:
        return json.loads(data[key])
    except ValueError as error:
        raise Unusable(f"`{key}` is no JSON ({error})") from error
