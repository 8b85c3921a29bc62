"""Redis refuses: the answers are 503 with Retry-After, and what is logged of it holds no password."""

import httpx

from fuzz.judge import Answer, Findings, faults
from fuzz.rig import BOSS, DELIVERY_SECRET, NAMESPACE, SECRETS, Rig
from fuzz.strategies import PING, RESOURCE, START, STOP
from fuzz.wire import Line

_SUBJECT = f"namespaces/{NAMESPACE}/inferenceservices/scorer"
_EVENTS = {"stop": STOP, "start": START, "pod_status": RESOURCE, "tick": PING, "dead_letter": STOP}


def everything_waits(rig: Rig, found: Findings) -> None:
    rig.lose_redis()
    for name, event_type in _EVENTS.items():
        found.calls += 1
        line = Line(rig.ports[name])
        named = {"specversion": "1.0", "id": "away", "source": "/fuzz", "type": event_type, "subject": _SUBJECT}
        named |= {"kind": "InferenceService", "apiversion": "v1", "name": "scorer", "namespace": NAMESPACE}
        headers = [(f"ce-{key}".encode(), value.encode()) for key, value in named.items()]
        body = b'{"metadata": {"resourceVersion": "999999999"}}' if name == "pod_status" else b"{}"
        for wrong in faults(line.post(f"/?delivery={DELIVERY_SECRET}".encode(), headers, body), {503}, SECRETS):
            found.add(f"{name} while Redis is away: {wrong}", named)
        line.close()
    base = f"http://127.0.0.1:{rig.ports['api']}/api/v1"
    for path in ("/models", f"/namespaces/{NAMESPACE}/models/scorer/status", "/audit"):
        found.calls += 1
        answered = httpx.get(base + path, headers=BOSS, timeout=20)
        answer = Answer(answered.status_code, dict(answered.headers), answered.content)
        for wrong in faults(answer, {503}, SECRETS):
            found.add(f"api {path} while Redis is away: {wrong}", path)
