"""What a model's own server wants to see before it answers: a Secret that the model's owner names.

The annotation `modelswitch.dev/credentials` names it, and a Role in the namespace lets modelswitch read it; it has no such
right by itself. It is read only where a pod of the model answers 401 or the like, kept for a minute, and shown nowhere.
"""

import base64
import re
import time
from binascii import Error as NotBase64
from typing import Any, Protocol

from events.model import is_name
from functions.adapters.answers import NoCredentials, shown
from functions.adapters.cluster import Forbidden, Json, Missing
from functions.adapters.segments import quoted
from functions.lifecycle.errors import StepError

_KEPT_SECONDS = 60.0
_KEPT = 1000
_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?")


class ReadsObjects(Protocol):
    """As much of the cluster as reading a Secret needs."""

    async def get(self, path: str, **query: str) -> Json: ...


class PodCredentials:
    """Remembers what it read, and why it could not, for _KEPT_SECONDS."""

    def __init__(self, cluster: ReadsObjects) -> None:
        self._cluster = cluster
        self._known: dict[tuple[str, str], tuple[float, str | NoCredentials]] = {}

    async def authorization(self, namespace: str, name: str) -> str:
        """The value of the Authorization header. Raises NoCredentials."""
        place = quoted(namespace)
        if not place or not quoted(name) or not is_name(name):
            raise NoCredentials(f"Secret {shown(name, 80)} is not a valid name of a Secret")
        key = (place, name)
        read_at, found = self._known.get(key, (0.0, ""))
        if not found or time.monotonic() - read_at > _KEPT_SECONDS:
            found = await self._read(place, name)
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = (time.monotonic(), found)
        if isinstance(found, NoCredentials):
            raise NoCredentials(str(found))
        return found

    async def _read(self, namespace: str, name: str) -> str | NoCredentials:
        secret = f"Secret {shown(name, 80)}"
        try:
            item = await self._cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except Missing:
            return NoCredentials(f"{secret} is not there")
        except Forbidden:
            return NoCredentials(f"{secret} may not be read (knative/examples/model-credentials.yaml has the Role)")
        except StepError as error:
            return NoCredentials(f"{secret} could not be read ({shown(error.message)})")
        return _header(item.get("data")) or NoCredentials(f"{secret} has no usable key `token` or `authorization`")


def _header(data: Any) -> str:
    """An empty one where the Secret has none, or one that can't be a header."""
    given: dict[str, Any] = data if isinstance(data, dict) else {}
    token = _text(given.get("token"))
    header = _text(given.get("authorization")) or (f"Bearer {token}" if token else "")
    return header if _HEADER.fullmatch(header) else ""


def _text(value: Any) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("ascii").strip() if isinstance(value, str) else ""
    except (NotBase64, ValueError):
        return ""
