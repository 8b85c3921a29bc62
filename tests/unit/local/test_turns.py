"""The timer's turns: a namespace with many lines holds up none with one."""

from events.model import ModelRef
from functions.tick.round import by_turns


def refs(*names):
    return [ModelRef(namespace=name.partition("/")[0], name=name.partition("/")[2]) for name in names]


def test_namespaces_take_turns_and_each_keeps_its_order():
    waiting = refs("a/1", "a/2", "a/3", "b/1", "c/1", "b/2")
    assert by_turns(waiting) == refs("a/1", "b/1", "c/1", "a/2", "b/2", "a/3")
