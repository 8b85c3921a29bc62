"""The secrets of one run: by which functions know the broker. Random, and never printed."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_FILE = "delivery-secret"


def secrets_of(environment: Mapping[str, str], state: Path) -> dict[str, str]:
    """Environment variables for all parts. The last run's secret stays accepted: events of that run may wait in the broker."""
    if environment.get("DELIVERY_SECRETS"):
        return {}
    file = state / _FILE
    before = file.read_text().strip() if file.exists() else ""
    current = secrets.token_urlsafe(24)
    unfinished = state / f"{_FILE}.new"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(current)
    unfinished.replace(file)
    return {"DELIVERY_SECRETS": ",".join(secret for secret in (current, before) if secret)}
