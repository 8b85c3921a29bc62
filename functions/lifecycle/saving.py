"""What stops have saved: a receipt's GPUs and memory times how long they were free, kept once the model leaves `stopped`."""

from datetime import datetime

from events.status import State
from functions.lifecycle.quantity import memory_in_bytes
from functions.lifecycle.record import Record, Saved


def saved_by(record: Record, until: datetime) -> Saved | None:
    """With the stop that ends `until` then, where there is one; before that it is counted from its receipt."""
    receipt = record.receipt
    if record.state is not State.STOPPED or receipt is None:
        return record.saved
    seconds = max(0.0, (until - receipt.stopped_at).total_seconds())
    before = record.saved or Saved(since=receipt.stopped_at)
    return Saved(
        gpu_seconds=round(before.gpu_seconds + receipt.gpus * seconds, 3),
        memory_byte_seconds=round(before.memory_byte_seconds + memory_in_bytes(receipt.memory) * seconds),
        stops=before.stops + 1,
        since=before.since,
    )
