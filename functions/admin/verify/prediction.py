"""Whether a model's pods answer its smoke test, as `verify` asks: with `--predict`, each ready pod that may have its model."""

import asyncio

from functions.adapters import smoke_test
from functions.adapters.cluster import Forbidden, Missing
from functions.adapters.conversation import Line
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import ReadsObjects, SmokeTests, unreadable
from functions.adapters.probe import AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE
from functions.adapters.smoke_test import SmokeTest
from functions.adapters.turns import Turns
from functions.admin.verify.sighting import NOT_ASKED, Sighting
from functions.lifecycle.errors import ClusterUnavailable
from functions.lifecycle.observation import SMOKE_TEST_ANNOTATION, Answered, Pod
from functions.lifecycle.prediction import Outcome, Prediction

SECONDS = 10.0
_RANK = (Outcome.BAD, Outcome.UNUSABLE, Outcome.UNREACHED, Outcome.GOOD)


class Predictions:
    """What answered well once is not asked again while `verify` runs: by the pod's uid."""

    def __init__(self, cluster: ReadsObjects, line: Line | None, seconds: float = SECONDS) -> None:
        self._smoke_tests = SmokeTests(cluster, line, seconds)
        self._line = line
        self._good: dict[str, Prediction] = {}
        self._turns = Turns(AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE)

    async def of(self, sighting: Sighting) -> Prediction:
        """Asks only pods that have their model or that have no other check. A ConfigMap counts without annotation."""
        if self._line is None:
            return NOT_ASKED
        asked = [(server, pod) for server in sighting.servers if (pod := _askable(sighting, server))]
        if not asked:
            return NOT_ASKED
        ref, annotations = sighting.ref, sighting.seen.annotations or {}
        metadata = {"name": ref.name, "namespace": ref.namespace, "annotations": annotations}
        try:
            found = await self._smoke_tests.read(metadata, otherwise=smoke_test.IN_CONFIG_MAP)
        except (Missing, Forbidden) as error:
            if annotations.get(SMOKE_TEST_ANNOTATION):
                return unreadable(error, metadata)
            # A Role that names each smoke test answers Forbidden for a model that has none.
            said = "no smoke test" if isinstance(error, Missing) else "no smoke test that may be read"
            return Prediction(Outcome.NOT_ASKED, said)
        except ClusterUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - an error in one model's smoke test concerns that model only
            return unreadable(error, metadata)
        answers = await asyncio.gather(*(self._in_turn(found, server, pod) for server, pod in asked))
        return min(answers, key=lambda answer: _RANK.index(answer.outcome) if answer.outcome in _RANK else len(_RANK))

    async def _in_turn(self, found: SmokeTest, server: Server, pod: Pod) -> Prediction:
        async with self._turns.turn(server.namespace):
            return await self._one(found, server, pod)

    async def _one(self, found: SmokeTest, server: Server, pod: Pod) -> Prediction:
        if pod.uid in self._good:
            return self._good[pod.uid]
        if found.path is None and not (pod.answer and pod.answer.predict_path):
            return Prediction(Outcome.NOT_ASKED, "its smoke test has no path")
        answer = await self._smoke_tests.send(found, server, pod.answer)
        if answer.outcome is Outcome.GOOD:
            self._good[pod.uid] = answer
        return answer


def _askable(sighting: Sighting, server: Server) -> Pod | None:
    pod = next((pod for pod in sighting.seen.pods if pod.uid == server.pod_uid), None)
    fits = pod and pod.answer and pod.answer.what in {Answered.LOADED, Answered.UNASKABLE}
    return pod if fits and Protocol.GRPC not in server.protocols else None
