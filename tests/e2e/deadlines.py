"""Waiting for what must become true, with a deadline and never for a fixed time."""

import time

EVERY_SECONDS = 0.1


def eventually(check, what, seconds=60.0, every=EVERY_SECONDS):
    """The first truthy answer of `check`. After `seconds` an AssertionError with what was last seen instead."""
    deadline = time.monotonic() + seconds
    while True:
        seen = check()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {_said(what)}")
        time.sleep(every)


def _said(what):
    return what() if callable(what) else what
