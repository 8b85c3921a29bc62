"""What the broker counts, for GET /metrics."""

from prometheus_client import Counter

PRODUCED = Counter("modelswitch_broker_requests_total", "Produce requests by answer.", ["status"])
DELIVERIES = Counter("modelswitch_broker_deliveries_total", "Attempts by result.", ["trigger", "stage", "result"])
