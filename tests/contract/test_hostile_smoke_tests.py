"""Smoke tests that can't be meant so, and servers that answer them with anything: one model's concern, and said in a few
words.
"""

import asyncio
import json

import pytest
from hostile_server import READY, answer, endless_flood, gzip_bomb, never_ending, serving, silence

from functions.adapters.answers import Reply, predict_path
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.lifecycle.observation import Answered, PodAnswer
from functions.lifecycle.prediction import Outcome

pytestmark = pytest.mark.timeout(60)
SMOKE_TEST = "modelswitch.dev/smoke-test"
LOADED = PodAnswer(Answered.LOADED, "GET /v1/models/m: 200", predict_path="/v1/models/m:predict")


class ConfigMap:
    def __init__(self, answer=None):
        self.answer = answer

    async def get(self, _path, **_):
        return self.answer


def metadata(text):
    return {"name": "m", "namespace": "ml", "annotations": {SMOKE_TEST: text}}


def a_pod(port, uid="0", namespace="ml"):
    server = Server(uid, f"pod-{uid}", namespace, "127.0.0.1", port, False, ("m",), True, (Protocol.V1,))
    return server, LOADED


def deep(levels, inner="1"):
    return "[" * levels + inner + "]" * levels


UNUSABLE = {
    "nested 100,000 deep": "[" * 100_000,
    "a payload nested 100,000 deep": '{"payload": ' + deep(100_000) + "}",
    "an expectation nested 5,000 deep": '{"payload": 1, "expect": ' + deep(5_000) + "}",
    "a number of 100,000 digits": '{"payload": ' + "9" * 100_000 + "}",
    "a lone surrogate": '{"payload": "\\ud800"}',
    "a list": "[1]",
    "100,000 unknown keys": json.dumps({"payload": 1, **dict.fromkeys(map(str, range(20_000)), 1)}),
    "a path that is a list": '{"payload": 1, "path": ["/x"]}',
    "a path that climbs": '{"payload": 1, "path": "/../x"}',
    "a path that climbs in another decoding": '{"payload": 1, "path": "/%2e%2e/x"}',
    "a path of 100 KB": '{"payload": 1, "path": "/' + "x" * 100_000 + '"}',
    "control characters": '{"payload": 1, "path": "/\\u001b[2J"}',
    "half of it": '{"payload": [[[',
}
CONFIG_MAPS = [
    {"data": []},
    {"data": "payload"},
    {"data": {"payload": 7}},
    {"data": {"payload": None}},
    {"data": {"payload": ["1"]}},
    {"data": {"payload": "[" * 100_000}},
    {"data": {"payload": "1", "expect": deep(5_000)}},
    {"data": {"payload": "1", "path": {"a": 1}}},
    {},
    {"data": None},
]
ODD = {
    "nested 100,000 deep": answer(200, b"[" * 100_000),
    "a gzip bomb": gzip_bomb(64),
    "without end, slowly": never_ending,
    "without end, fast": endless_flood,
    "another shape": answer(200, {"x" * 100_000: [1]}),
    "escapes": answer(500, {"error": "\x1b[2J\u202e" + "x" * 100_000}),
    "a redirect": answer(302, Location="http://169.254.169.254/"),
    "not UTF-8": answer(200, b'"\xff"'),
}


def fits_a_record(said):
    words = f"{said.said}{said.next}{said.path}{said.pod}"
    words.encode()
    return words.isprintable() and len(words) < 3000


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_smoke_test_that_can_not_be_meant_so_is_said_in_a_few_words_and_nothing_is_sent(line, case):
    async with serving(otherwise=READY) as (port, tally):
        (said,) = (await SmokeTests(ConfigMap(), line).ask(metadata(UNUSABLE[case]), [a_pod(port)])).values()
    assert (said.outcome, tally.asked) == (Outcome.UNUSABLE, [])
    assert fits_a_record(said)


@pytest.mark.parametrize("found", CONFIG_MAPS, ids=range(len(CONFIG_MAPS)))
async def test_a_config_map_that_can_not_be_meant_so_is_said(line, found):
    async with serving(otherwise=READY) as (port, tally):
        (said,) = (await SmokeTests(ConfigMap(found), line).ask(metadata("configmap"), [a_pod(port)])).values()
    assert (said.outcome, tally.asked) == (Outcome.UNUSABLE, [])
    assert fits_a_record(said)


@pytest.mark.parametrize("case", ODD)
async def test_whatever_one_server_answers_another_is_judged_by_its_own_answer(line, case):
    text = '{"payload": 1, "expect": {"ready": true}}'
    async with serving(otherwise=ODD[case]) as (odd, _), serving(otherwise=READY) as (good, _):
        said = await SmokeTests(ConfigMap(), line, seconds=2).ask(
            metadata(text), [a_pod(odd, "odd"), a_pod(good, "good")]
        )
    assert (said["odd"].outcome, said["good"].outcome) == (Outcome.BAD, Outcome.GOOD)
    assert fits_a_record(said["odd"])


async def test_what_is_expected_may_be_nested_as_deep_as_is_read(line):
    text = json.dumps({"payload": 1, "expect": json.loads(deep(150, '{"a": 1}'))})
    async with serving(otherwise=answer(200, deep(150, '{"b": 1}').encode())) as (port, _):
        (said,) = (await SmokeTests(ConfigMap(), line).ask(metadata(text), [a_pod(port)])).values()
    assert said.outcome is Outcome.BAD
    assert fits_a_record(said)


async def test_pods_of_one_tenant_that_hang_leave_turns_to_others(line):
    smoke_tests = SmokeTests(ConfigMap(), line, seconds=3)
    async with serving(otherwise=silence) as (hangs, tally), serving(otherwise=READY) as (works, _):
        hog = asyncio.create_task(
            smoke_tests.ask(metadata('{"payload": 1}'), [a_pod(hangs, str(n), "hog") for n in range(100)])
        )
        while tally.now < 8:
            await asyncio.sleep(0.01)
        said = await smoke_tests.ask(metadata('{"payload": 1}'), [a_pod(works)])
        assert not hog.done()
        hog.cancel()
        await asyncio.gather(hog, return_exceptions=True)
    assert said["0"].outcome is Outcome.GOOD


@pytest.mark.parametrize(
    "listed", ['{"models": ["../../x"]}', '{"models": [7]}', '{"models": {"a": 1}}', "[1]", '{"models": [["a"]]}', "{"]
)
def test_a_name_that_a_server_gave_itself_leads_nowhere_else(listed):
    assert predict_path(Protocol.OPENAI, "/v1/models", Reply(200, listed.encode())) in {"", "/v1/completions"}
