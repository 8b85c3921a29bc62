"""Namespaces take turns, however much work one of them has."""

import asyncio

from events.model import ModelRef
from functions.tick.turns import in_turn, work_in_turns


def refs(namespace, count):
    return [ModelRef(namespace=namespace, name=f"m-{number}") for number in range(count)]


def test_the_first_of_each_comes_before_the_second_of_any():
    ordered = in_turn([*refs("greedy", 500), *refs("small", 2), *refs("other", 1)])
    assert [ref.namespace for ref in ordered[:5]] == ["greedy", "small", "other", "greedy", "small"]
    assert len(ordered) == 503


async def test_a_namespace_whose_models_never_answer_leaves_others_their_turns():
    """Its work ends only once all others' has been done."""
    served, all_served = [], asyncio.Event()

    async def work(ref):
        if ref.namespace == "silent":
            await all_served.wait()
            return
        served.append(ref)
        if len(served) == 60:
            all_served.set()

    await work_in_turns([*refs("silent", 500), *refs("b", 30), *refs("c", 30)], 8, work)
    assert len(served) == 60


async def test_a_namespace_that_is_alone_uses_every_turn():
    at_work, full = 0, asyncio.Event()

    async def work(_):
        nonlocal at_work
        at_work += 1
        if at_work == 8:
            full.set()
        await full.wait()

    await work_in_turns(refs("alone", 8), 8, work)
    assert at_work == 8


async def test_each_is_done_once():
    done = []

    async def work(ref):
        await asyncio.sleep(0)
        done.append(ref)

    wanted = [*refs("a", 17), *refs("b", 5), *refs("c", 1)]
    await work_in_turns(wanted, 4, work)
    assert sorted(done, key=str) == sorted(wanted, key=str)
