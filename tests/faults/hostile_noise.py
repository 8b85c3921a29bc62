"""What the hostile tenant does, in a process of its own: objects of every odd kind, and events that nothing can be done about."""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from api_session import api_session

Json = dict[str, Any]
AT_ONCE = 8
STOP_EVENT = "dev.modelswitch.model.stop-requested.v1"
NOTE = "modelswitch.dev/stop"
_GARBAGE = (
    "not JSON",
    '{"holds":[],"source":"x","command":"y","since":"2026-01-01T00:00:00"}',
    "[" * 50_000,
    json.dumps({"holds": [{"kind": "user", "actor": "a" * 10_000, "since": "2026-01-01T00:00:00Z"}] * 10}),
)


def objects(namespace: str) -> Iterator[tuple[str, Json]]:
    """Collection and object, each with a name of its own, for ever."""
    core, apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"
    services = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    for number in itertools.count():
        name = f"odd-{number}"
        match number % 4:
            case 0:
                labels = {"modelswitch.dev/pinned": "true", "app": name}
                pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
                spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": pod}
                metadata = {"name": name, "labels": labels, "annotations": {"modelswitch.dev/model": "not a model"}}
                yield (
                    f"{apps}/replicasets",
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec},
                )
            case 1:
                labels = {"serving.kserve.io/inferenceservice": f"odd-{number - 2}", "component": "predictor"}
                resources = {"requests": {"ephemeral-storage": "1E", "cpu": "100u", "memory": "1Ei"}}
                spec = {
                    "terminationGracePeriodSeconds": 10**15,
                    "schedulingGates": [{"name": "modelswitch.dev/test"}],
                    "containers": [{"name": "kserve-container", "image": "x", "resources": resources}],
                }
                yield f"{core}/pods", {"metadata": {"name": name, "labels": labels}, "spec": spec}
            case _:
                notes = {"serving.kserve.io/stop": "true", NOTE: _GARBAGE[number // 4 % len(_GARBAGE)]}
                model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://b/m"}
                api = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
                yield (
                    services,
                    {**api, "metadata": {"name": name, "annotations": notes}, "spec": {"predictor": {"model": model}}},
                )


def events(namespace: str, urls: Json) -> Iterator[tuple[str, Json]]:
    """URL and headers: commands for models that are not there or not its own, and notifications about nothing; some unverified."""
    for number in itertools.count():
        about = f"namespaces/{namespace}/inferenceservices/nothing-{number}"
        headers = {
            "ce-specversion": "1.0",
            "ce-id": f"noise-{number}",
            "ce-source": "/tenant",
            "content-type": "application/json",
        }
        if number % 2:
            kind = {
                "ce-type": "dev.knative.apiserver.resource.update",
                "ce-subject": "/x",
                "ce-kind": "InferenceService",
            }
            named = {
                "ce-apiversion": "serving.kserve.io/v1beta1",
                "ce-name": f"nothing-{number}",
                "ce-namespace": namespace,
            }
            yield urls["pod_status"], {**headers, **kind, **named}
        elif number % 4:
            yield urls["command"], {**headers, "ce-type": STOP_EVENT, "ce-subject": about}
        else:
            yield urls["command"].partition("?")[0], {**headers, "ce-type": STOP_EVENT, "ce-subject": about}


async def main() -> None:
    """argv: kubeconfig, namespace, how many objects, how many events, URLs as JSON. Says `begun`, then what it did."""
    kubeconfig, namespace, most_objects, most_events, urls = sys.argv[1:]
    made = {"objects": 0, "events": 0, "answers": {}}
    async with await api_session(Path(kubeconfig), AT_ONCE) as cluster, aiohttp.ClientSession() as session:
        print("begun", flush=True)
        making = itertools.islice(objects(namespace), int(most_objects))
        sending = itertools.islice(events(namespace, json.loads(urls)), int(most_events))

        async def make() -> None:
            for collection, body in making:
                async with cluster.post(collection, json=body) as answer:
                    made["objects"] += answer.status < 400
                    await answer.read()

        async def send() -> None:
            for url, headers in sending:
                async with session.post(url, data=b"{}", headers=headers) as answer:
                    made["events"] += 1
                    made["answers"][str(answer.status)] = made["answers"].get(str(answer.status), 0) + 1

        await asyncio.gather(*(make() for _ in range(AT_ONCE)), *(send() for _ in range(AT_ONCE)))
    print(json.dumps(made))


if __name__ == "__main__":
    asyncio.run(main())
