"""How often something may be done from one address: token buckets, as many as fit into a table of fixed size."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

MOST_ADDRESSES = 10_000


class Buckets:
    """Each address may do `size` at once and `per_second` in the long run.

    Addresses of one IPv6 network (/64) are one.
    """

    def __init__(self, size: float, per_second: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._per_second = per_second
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """0 where there was one to take; else the seconds until there is."""
        left = self._now(address)
        if left < 1:
            return (1 - left) / self._per_second
        self._put(address, left - 1)
        return 0.0

    def give_back(self, address: str) -> None:
        self._put(address, min(self._size, self._now(address) + 1))

    def _now(self, address: str) -> float:
        left, at = self._left.get(_network(address), (self._size, 0.0))
        return min(self._size, left + (self._clock() - at) * self._per_second)

    def _put(self, address: str, left: float) -> None:
        key = _network(address)
        self._left.pop(key, None)
        self._left[key] = (left, self._clock())
        while len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address
