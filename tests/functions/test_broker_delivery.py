"""What the broker does when a subscriber fails, is slow or away, and what a killed broker leaves behind."""

import asyncio
import base64
import time

import pytest
from broker_process import broker, brokering, headers, post, sink, subscribing, trigger, until

FAST = {"retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}


@pytest.fixture
async def one():
    async with subscribing() as subscriber:
        yield subscriber


@pytest.fixture
async def dead():
    async with subscribing() as subscriber:
        yield subscriber


def running(folder, one, dead, **delivery):
    objects = [broker(), trigger("one", delivery=FAST | {"deadLetterSink": sink("dead")} | delivery)]
    return brokering(folder, objects, {"one": one.url, "dead": dead.url})


async def test_every_status_that_may_heal_is_tried_again_until_it_does(tmp_path, one, dead):
    statuses = [404, 408, 409, 429, 500, 503]
    one.answers = [(status, {}, b"") for status in statuses]
    async with running(tmp_path, one, dead, retry=10) as process:
        await post(process.url, headers())
        await until(lambda: len(one.arrived) == len(statuses) + 1, "an attempt after each failure, and one that works")
    assert not dead.arrived


@pytest.mark.parametrize("status", [400, 401, 422, 302])
async def test_what_can_not_heal_is_dead_lettered_at_once_with_the_reason(tmp_path, one, dead, status):
    one.answers = [(status, {}, b"no good")]
    async with running(tmp_path, one, dead) as process:
        await post(process.url, headers(subject="kept"), b'{"kept": 1}')
        (letter,) = await until(lambda: dead.arrived, "the dead letter")
    assert len(one.arrived) == 1
    assert letter.headers["ce-knativeerrordest"].startswith(one.url)
    assert letter.headers["ce-knativeerrorcode"] == str(status)
    assert base64.b64decode(letter.headers["ce-knativeerrordata"]) == b"no good"
    assert (letter.headers["ce-id"], letter.headers["ce-subject"], letter.body) == ("1", "kept", b'{"kept": 1}')


async def test_after_the_last_retry_it_is_dead_lettered(tmp_path, one, dead):
    one.answers = [(500, {}, b"")] * 9
    async with running(tmp_path, one, dead) as process:
        await post(process.url, headers())
        await until(lambda: dead.arrived, "the dead letter")
    assert len(one.arrived) == 1 + FAST["retry"]


@pytest.mark.parametrize(
    "answer",
    [(200, {}, b"OK"), (200, {"content-type": "application/json"}, b"{}"), (200, {"ce-specversion": "1.0"}, b"")],
)
async def test_a_2xx_with_a_body_that_is_no_event_has_failed(tmp_path, one, dead, answer):
    one.answers = [answer] * 9
    async with running(tmp_path, one, dead) as process:
        await post(process.url, headers())
        await until(lambda: dead.arrived, "the dead letter")
    assert len(one.arrived) == 1 + FAST["retry"]


async def test_no_answer_in_time_is_tried_again(tmp_path, one, dead):
    one.delay = 1
    async with running(tmp_path, one, dead, timeout="PT0.1S") as process:
        await post(process.url, headers())
        await until(lambda: dead.arrived, "the dead letter")
    assert len(one.arrived) == 1 + FAST["retry"]


async def test_the_producer_does_not_wait_for_a_slow_subscriber(tmp_path, one, dead):
    one.delay = 1
    async with running(tmp_path, one, dead) as process:
        begun = time.monotonic()
        assert (await post(process.url, headers()))[0] == 202
        assert time.monotonic() - begun < 0.5


async def test_retry_after_is_honoured(tmp_path, one, dead):
    one.answers = [(503, {"retry-after": "1"}, b"")]
    async with running(tmp_path, one, dead) as process:
        await post(process.url, headers())
        await until(lambda: len(one.arrived) == 2, "the second attempt")
    assert one.arrived[1].at - one.arrived[0].at >= 1


async def test_exponential_backoff_doubles(tmp_path, one, dead):
    one.answers = [(500, {}, b"")] * 3
    async with running(tmp_path, one, dead, retry=3, backoffPolicy="exponential", backoffDelay="PT0.1S") as process:
        await post(process.url, headers())
        await until(lambda: len(one.arrived) == 4, "four attempts")
    gaps = [later.at - earlier.at for earlier, later in zip(one.arrived, one.arrived[1:], strict=False)]
    assert all(gap >= wanted for gap, wanted in zip(gaps, (0.1, 0.2, 0.4), strict=True))


async def test_the_brokers_dead_letter_sink_serves_a_trigger_that_has_none(tmp_path, one, dead):
    one.answers = [(400, {}, b"")]
    objects = [broker(deadLetterSink=sink("dead")), trigger("one", delivery={"retry": 1})]
    async with brokering(tmp_path, objects, {"one": one.url, "dead": dead.url}) as process:
        await post(process.url, headers())
        await until(lambda: dead.arrived, "the dead letter")


async def test_one_failing_trigger_holds_up_nobody_else(tmp_path, one, dead):
    objects = [broker(), trigger("gone", delivery=FAST | {"timeout": "PT5S"}), trigger("one")]
    async with brokering(tmp_path, objects, {"one": one.url, "gone": "http://127.0.0.1:9"}) as process:
        await asyncio.gather(*(post(process.url, headers(str(number))) for number in range(100)))
        await until(lambda: len(one.ids()) == 100, "all of them at the healthy one")


async def test_an_event_reaches_its_subscriber_within_20_ms(tmp_path, one, dead):
    async with running(tmp_path, one, dead) as process:
        await post(process.url, headers("warm-up"))
        delays = []
        for number in range(20):
            begun = time.time()
            await post(process.url, headers(str(number)))
            await until(lambda n=number: str(n) in one.ids(), "it arrives")
            delays.append(one.arrived[-1].at - begun)
    assert sorted(delays)[10] < 0.02


async def test_a_killed_broker_delivers_everything_it_accepted_once_it_is_back(tmp_path, one):
    one.answers = [(503, {}, b"")] * 20
    one.delay = 0.02
    objects = [broker(), trigger("one", delivery={"retry": 20, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"})]
    accepted: set[str] = set()

    async def produce(number: int):
        if (await post(process.url, headers(str(number))))[0] == 202:
            accepted.add(str(number))

    async with brokering(tmp_path, objects, {"one": one.url}) as process:
        producing = [asyncio.create_task(produce(number)) for number in range(200)]
        await until(lambda: len(accepted) >= 100, "half of them accepted")
        await process.kill()
        await asyncio.gather(*producing, return_exceptions=True)
        assert not accepted <= one.ids(), "killed too late to show anything"
        await process.start()
        await until(lambda: accepted <= one.ids(), "every accepted event")


async def test_a_dead_letter_survives_a_kill_too(tmp_path, one):
    one.answers = [(400, {}, b"bad")]
    async with subscribing() as taken:
        port = int(taken.url.rsplit(":", 1)[1])
    objects = [broker(), trigger("one", delivery=FAST | {"retry": 50, "deadLetterSink": sink("dead")})]
    async with brokering(tmp_path, objects, {"one": one.url, "dead": f"http://127.0.0.1:{port}"}) as process:
        await post(process.url, headers())
        await until(lambda: any("goes to the dead-letter" in line for line in process.lines), "it is dead-lettered")
        await process.kill()
        await process.start()
        async with subscribing(port) as dead:
            (letter,) = await until(lambda: dead.arrived, "the dead letter")
            assert letter.headers["ce-knativeerrorcode"] == "400"
    assert len(one.arrived) == 1


async def test_an_ordered_trigger_delivers_the_events_of_a_model_one_by_one(tmp_path, one, dead):
    """A retry of the first delays what comes later for the same model, and nothing of another model."""
    ordered = trigger("one", delivery=FAST | {"retry": 20, "deadLetterSink": sink("dead")})
    ordered["metadata"]["annotations"] = {"kafka.eventing.knative.dev/delivery.order": "ordered"}
    one.answers = [(503, {}, b""), (503, {}, b"")]
    async with brokering(tmp_path, [broker(), ordered], {"one": one.url, "dead": dead.url}) as process:
        for number in range(5):
            await post(process.url, headers(id=f"a{number}", partitionkey="a"))
        await post(process.url, headers(id="b0", partitionkey="b"))
        await until(lambda: one.ids() == {"a0", "a1", "a2", "a3", "a4", "b0"}, "all events")
    of_a = [item.headers["ce-id"] for item in one.arrived if item.headers["ce-partitionkey"] == "a"]
    assert list(dict.fromkeys(of_a)) == ["a0", "a1", "a2", "a3", "a4"]
    assert of_a == sorted(of_a), "a later event was delivered before an earlier one was"
    assert [item.headers["ce-id"] for item in one.arrived].index("b0") < len(of_a)


async def test_an_ordered_trigger_goes_on_after_a_dead_letter_and_after_a_restart(tmp_path, one, dead):
    ordered = trigger("one", delivery=FAST | {"retry": 0, "deadLetterSink": sink("dead")})
    ordered["metadata"]["annotations"] = {"kafka.eventing.knative.dev/delivery.order": "ordered"}
    one.delay = 60
    async with brokering(tmp_path, [broker(), ordered], {"one": one.url, "dead": dead.url}) as process:
        for number in range(3):
            await post(process.url, headers(id=f"a{number}", partitionkey="a"))
        await until(lambda: one.ids() == {"a0"}, "the first delivery")
    one.delay, one.answers = 0, [(400, {}, b"")]
    one.arrived.clear()
    async with brokering(tmp_path, [broker(), ordered], {"one": one.url, "dead": dead.url}):
        await until(
            lambda: dead.ids() == {"a0"} and one.ids() == {"a0", "a1", "a2"},
            "all three, the first to the dead-letter sink",
        )
    assert [item.headers["ce-id"] for item in one.arrived] == ["a0", "a1", "a2"]
