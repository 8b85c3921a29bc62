"""The secrets of `make run`, random and never printed: one per run by which functions know the broker, and one per
cluster with which notes on its stopped models are signed.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_DELIVERY, _NOTES = "delivery-secret", "note-key"


def secrets_of(environment: Mapping[str, str], state: Path) -> dict[str, str]:
    """Environment variables for all parts.

    The last run's secret stays accepted: events of that run may wait in the broker.
    """
    found: dict[str, str] = {}
    if not environment.get("DELIVERY_SECRETS"):
        before, current = _kept(state / _DELIVERY), secrets.token_urlsafe(24)
        _keep(state / _DELIVERY, current)
        found["DELIVERY_SECRETS"] = ",".join(secret for secret in (current, before) if secret)
    if not environment.get("NOTE_KEYS"):
        key = _kept(state / _NOTES) or secrets.token_urlsafe(24)
        _keep(state / _NOTES, key)
        found["NOTE_KEYS"] = key
    return found


def _kept(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


def _keep(file: Path, secret: str) -> None:
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(secret)
    unfinished.replace(file)
