"""How a model's state is shown at a terminal."""

from events.status import ModelStatus, Receipt, State


def full_name(status: ModelStatus) -> str:
    return f"{status.namespace}/{status.name}"


def sentence(status: ModelStatus) -> str:
    """One line: which model, its state, and what matters about it there."""
    return f"{full_name(status)}: {state_phrase(status)}"


def state_phrase(status: ModelStatus) -> str:
    if status.state is State.STOPPED:
        freed = f": {receipt_phrase(status.receipt)}" if status.receipt else ""
        return f"stopped{freed}"
    if status.state is State.ERROR:
        why = " - ".join(part for part in (status.reason, status.message) if part)
        return f"error: {why or 'no reason given'}"
    if status.state is State.RUNNING:
        return f"running ({resources_phrase(status)})" + (f", {status.reason}" if status.reason else "")
    waiting = "; a start waits for the last pod" if status.queued else ""
    detail = f": {status.message}" if status.message else ""
    return f"{status.state} ({resources_phrase(status)}){detail}{waiting}…"


def resources_phrase(status: ModelStatus) -> str:
    """`1 GPU, 8Gi`; where no GPU is held, the memory alone."""
    held = status.resource_allocation
    gpus = gpus_phrase(held.gpus, exact=held.gpus_exact)
    return f"{gpus}, {held.memory}" if gpus else held.memory


def receipt_phrase(receipt: Receipt) -> str:
    """`1 GPU and 8Gi freed in 2.1s`; a receipt that may lack pods says `at least`."""
    at_least = "" if receipt.complete else "at least "
    gpus = gpus_phrase(receipt.gpus, exact=receipt.gpus_exact)
    freed = f"{gpus} and {receipt.memory}" if gpus else receipt.memory
    took = "" if receipt.seconds is None else f" in {receipt.seconds:.1f}s"
    return f"{at_least}{freed} freed{took}"


def gpus_phrase(count: int, *, exact: bool) -> str:
    """`2 GPUs`, "" for none; an inexact number is the least."""
    if not count:
        return "" if exact else "an unknown number of GPUs"
    counted = f"{count} GPU" if count == 1 else f"{count} GPUs"
    return counted if exact else f"at least {counted}"
