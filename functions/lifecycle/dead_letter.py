"""An event that no function could take, kept so that it can be read and sent again."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from events.model import ModelRef

MOST_BYTES = 16 * 1024
MOST_UNREAD_BYTES = 12 * 1024
"""Of a body that could not be read: as many as base64 makes 16 KiB of."""
OURS = "dev.modelswitch."
UNKNOWN = "unknown"
"""The type of an event whose type could not be read."""


@dataclass(frozen=True)
class DeadLetter:
    """`data` is JSON; None where it was none, larger than 16 KiB, or not of a type of ours: a notification's is a whole object of the
    cluster. Then `size` (its bytes) is all that is kept, and of what could not be read the first 12 KiB (`raw`, in base64).
    """

    type: str
    subject: str | None = None
    data: Any = None
    size: int = 0
    raw: str | None = None

    @classmethod
    def of(cls, attributes: Mapping[str, Any], data: Any) -> Self:
        subject, name = attributes.get("subject"), str(attributes["type"])
        about = None if subject is None else str(subject)
        if isinstance(data, bytes):
            return cls(name, about, size=len(data), raw=_beginning(name, data))
        if data is None:
            return cls(name, about)
        size = len(json.dumps(data, separators=(",", ":")).encode())
        kept = size <= MOST_BYTES and name.startswith(OURS)
        return cls(name, about, data if kept else None, size)

    @classmethod
    def unreadable(cls, attributes: Mapping[str, str], body: bytes, size: int) -> Self:
        """A request that is no proper event. `body`: its first bytes; `size`: how many there were."""
        name = attributes.get("type", UNKNOWN)
        return cls(name, attributes.get("subject"), size=size, raw=_beginning(name, body))

    @property
    def beginning(self) -> str:
        """What is kept of a body that could not be read, as text; "" where nothing is."""
        try:
            return base64.b64decode(self.raw or "", validate=True).decode("utf-8", "backslashreplace")
        except ValueError:
            return ""

    @property
    def ref(self) -> ModelRef | None:
        """Which model it was about, as far as its subject tells."""
        try:
            return ModelRef.from_subject(self.subject or "")
        except ValueError:
            return None

    @property
    def why_not_kept(self) -> str | None:
        """In words, where the data is not here."""
        if self.data is not None or not self.size:
            return None
        if self.raw:
            cut = f"; its first {MOST_UNREAD_BYTES // 1024} KiB are kept" if self.size > MOST_UNREAD_BYTES else ""
            return f"Its body ({self.size:,} bytes) could not be read{cut}."
        if not self.type.startswith(OURS):
            return "Data of types that are not modelswitch's own is not kept."
        what = f"larger than {MOST_BYTES // 1024} KiB" if self.size > MOST_BYTES else "no JSON"
        return f"Its data ({self.size:,} bytes) was {what}, so it is not kept."


def _beginning(event_type: str, body: bytes) -> str | None:
    """Of what others send nothing is kept, as of their data."""
    kept = body[:MOST_UNREAD_BYTES] if event_type.startswith(OURS) or event_type == UNKNOWN else b""
    return base64.b64encode(kept).decode() or None
