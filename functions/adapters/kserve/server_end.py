"""For how long a pod's server goes on with requests in flight once it is told to end, where its pod says so.

KServe (0.19 and later) gives vLLM a time of its own, made from the grace of the model's spec when the pod is made: a longer
grace that a stop asks for changes nothing about it.
"""

import re
from collections.abc import Iterator

from functions.adapters.cluster import Json

_OWN_TIMEOUT = re.compile(r"--shutdown[-_]timeout[= ]+[\"']?(\d{1,6})\b")
_SLEEP = re.compile(r"\bsleep (\d{1,6})\b")
_MORE_ARGUMENTS = "VLLM_ADDITIONAL_ARGS"


def server_seconds(spec: Json) -> int | None:
    """From the pod's deletion on: its preStop hook, during which it serves, and the server's own time. None: not said."""
    return min(_found(spec), default=None)


def _found(spec: Json) -> Iterator[int]:
    for container in spec.get("containers") or []:
        more = [one.get("value") or "" for one in container.get("env") or [] if one.get("name") == _MORE_ARGUMENTS]
        words = [*(container.get("command") or []), *(container.get("args") or []), *more]
        if said := _OWN_TIMEOUT.findall(" ".join(words)):
            yield _pre_stop(container) + int(said[-1])


def _pre_stop(container: Json) -> int:
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    seconds, command = (hook.get("sleep") or {}).get("seconds"), (hook.get("exec") or {}).get("command") or []
    if isinstance(seconds, int):
        return seconds
    slept = _SLEEP.search(" ".join(str(word) for word in command))
    return int(slept[1]) if slept else 0
