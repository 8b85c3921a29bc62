"""Sending a model's canary to its own pods, and judging what comes back. It costs the model the work of one prediction a pod."""

import asyncio
import json
from http import HTTPStatus

from functions.adapters.answers import Reply
from functions.adapters.cluster import Cluster, Forbidden, Json, Missing
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import Line, Silent, Unreached
from functions.admin.verify import canary, shape
from functions.admin.verify.canary import Canary, Unusable
from functions.admin.verify.readiness import asked_path
from functions.admin.verify.sighting import NOT_ASKED, Outcome, Prediction, Sighting
from functions.lifecycle.observation import Answered, Pod

SECONDS = 10.0
_RANK = (Outcome.BAD, Outcome.UNREACHED, Outcome.GOOD)


class Predictions:
    """What answered well once is not asked again while `verify` runs: by the pod's uid."""

    def __init__(self, cluster: Cluster, line: Line | None, seconds: float = SECONDS) -> None:
        self._cluster = cluster
        self._line = line
        self._seconds = seconds
        self._good: dict[str, Prediction] = {}

    async def of(self, sighting: Sighting) -> Prediction:
        """Only a pod that has its model is asked, or that nobody can ask otherwise."""
        if self._line is None:
            return NOT_ASKED
        asked = [(server, pod) for server in sighting.servers if (pod := _askable(sighting, server))]
        if not asked:
            return NOT_ASKED
        name = f"{canary.PREFIX}{sighting.ref.name}"
        try:
            found = canary.read(await self._config_map(sighting.ref.namespace, name))
        except Missing:
            return Prediction(Outcome.NOT_ASKED, "no canary")
        except Forbidden:  # a Role that names each canary answers so for a model that has none
            return Prediction(Outcome.NOT_ASKED, "no canary that may be read")
        except Unusable as error:
            return Prediction(Outcome.UNUSABLE, f"its canary: {error}", next=f"Mend ConfigMap {name}.")
        answers = await asyncio.gather(*(self._one(self._line, found, server, pod) for server, pod in asked))
        return min(answers, key=lambda answer: _RANK.index(answer.outcome) if answer.outcome in _RANK else len(_RANK))

    async def _config_map(self, namespace: str, name: str) -> Json:
        return await self._cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    async def _one(self, line: Line, found: Canary, server: Server, pod: Pod) -> Prediction:
        if pod.uid in self._good:
            return self._good[pod.uid]
        path = found.path or default_path(pod)
        if path is None:
            return Prediction(Outcome.NOT_ASKED, "its canary has no path")
        try:
            answer = judge(found, await line.post(server, path, found.payload, self._seconds), pod.name, path)
        except Unreached as error:
            return Prediction(Outcome.UNREACHED, "cannot be asked", pod.name, path, str(error))
        except Silent:
            said = f"no answer in {self._seconds:g}s"
            return Prediction(Outcome.BAD, said, pod.name, path, "Read the predictor's log: it may hang.")
        if answer.outcome is Outcome.GOOD:
            self._good[pod.uid] = answer
        return answer


def _askable(sighting: Sighting, server: Server) -> Pod | None:
    pod = next((pod for pod in sighting.seen.pods if pod.uid == server.pod_uid), None)
    fits = pod and pod.answer and pod.answer.what in {Answered.LOADED, Answered.UNASKABLE}
    return pod if fits and Protocol.GRPC not in server.protocols else None


def default_path(pod: Pod) -> str | None:
    """Of the protocol in which the server told of its model; its name as it told it."""
    path = asked_path(pod.answer)
    if path and path.startswith("/v1/"):
        return f"{path}:predict"
    if path:
        return f"{path.removesuffix('/ready')}/infer"
    if pod.answer is None or pod.answer.what is not Answered.LOADED:
        return None
    if pod.answer.detail.startswith("GET /openai/v1/models:"):
        return "/openai/v1/completions"
    listed = pod.answer.detail.partition("GET /v1/models: 200")[2].strip()
    return _of_list(listed) if listed else "/v1/completions"


def _of_list(listed: str) -> str | None:
    """A server that was told no name listed its own; it is quoted, and may be cut."""
    try:
        document = json.loads(listed)
    except ValueError:
        return None
    names = document.get("models")
    return f"/v1/models/{names[0]}:predict" if names else "/v1/completions"


def judge(found: Canary, reply: Reply, pod: str, path: str) -> Prediction:
    """Pure. 200 with the shape is good; nothing else."""
    if reply.status != HTTPStatus.OK:
        return Prediction(Outcome.BAD, reply.said, pod, path, _next(reply.status))
    try:
        document = json.loads(reply.body)
    except ValueError:
        said = "200, but the answer is no JSON (or larger than 1 MiB)"
        return Prediction(Outcome.BAD, said, pod, path, "Check the `path` of its canary.")
    difference = shape.differs(found.expect, document)
    if difference:
        said = f"200, but {difference}"
        return Prediction(
            Outcome.BAD, said, pod, path, "Check which artifact it has loaded, and its canary's `expect`."
        )
    return Prediction(Outcome.GOOD, f"200 {shape.describe(document)}", pod, path)


def _next(status: int) -> str:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return "Its server answers elsewhere or calls its model otherwise: set `path` in its canary."
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "Its server wants credentials, and a canary carries none: take the canary away."
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Its server does not take the payload: mend it in its canary, or the model."
    return "Read the predictor's log; the model is loaded and can't predict."
