"""An event that no function could take, kept so that it can be read and sent again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from events.model import ModelRef

MOST_BYTES = 16 * 1024
OURS = "dev.modelswitch."


@dataclass(frozen=True)
class DeadLetter:
    """`data` is JSON; None where it was none, larger than 16 KiB, or not of a type of ours: a notification's is a whole object of the
    cluster. Then `size` (its bytes) is all that is kept.
    """

    type: str
    subject: str | None = None
    data: Any = None
    size: int = 0

    @classmethod
    def of(cls, attributes: Mapping[str, Any], data: Any) -> Self:
        subject, name = attributes.get("subject"), str(attributes["type"])
        about = None if subject is None else str(subject)
        if data is None or isinstance(data, bytes):
            return cls(name, about, size=len(data or b""))
        size = len(json.dumps(data, separators=(",", ":")).encode())
        kept = size <= MOST_BYTES and name.startswith(OURS)
        return cls(name, about, data if kept else None, size)

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
        if not self.type.startswith(OURS):
            return "Data of types that are not modelswitch's own is not kept."
        what = f"larger than {MOST_BYTES // 1024} KiB" if self.size > MOST_BYTES else "no JSON"
        return f"Its data ({self.size:,} bytes) was {what}, so it is not kept."
