"""Which models of a page have their pods listed together.

A list of pods by label goes through every pod of its namespace, and without a namespace through all pods: the API server may read
them all from etcd. So each namespace of a page gets a list of its own, unless they are so many that one over all is less.
"""

from collections.abc import Iterator, Sequence

from functions.adapters.cluster import Json

NAMESPACES_APART = 32
SELECTOR_LENGTH = 6_000
"""Characters of names in one label selector, so that the URL stays below 8 KiB."""


def portions(items: Sequence[Json]) -> Iterator[tuple[str | None, list[Json]]]:
    """(namespace to list in, None for all; its models, in their order), as many as one label selector can name."""
    namespaces = {item["metadata"]["namespace"] for item in items}
    apart = len(namespaces) <= NAMESPACES_APART
    portion: list[Json] = []
    length, place = 0, None
    for item in items:
        here = item["metadata"]["namespace"] if apart else None
        added = len(item["metadata"]["name"]) + len("%2C")
        if portion and (here != place or length + added > SELECTOR_LENGTH):
            yield place, portion
            portion, length = [], 0
        portion.append(item)
        length, place = length + added, here
    if portion:
        yield place, portion
