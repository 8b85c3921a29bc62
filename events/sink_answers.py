"""What a sink's HTTP status says about sending the same event again. Knative's delivery contract."""

LATER = frozenset({404, 408, 409, 429})
"""These may work later; every other 4xx never will, but for a right that may be granted."""
_RIGHTS = frozenset({401, 403})


def later(status: int) -> bool:
    """Whether a sink that answers so may take the same event another time; a sender that can wait then keeps it."""
    return not 400 <= status < 500 or status in LATER or status in _RIGHTS
