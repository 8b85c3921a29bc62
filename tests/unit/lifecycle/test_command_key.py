"""A command's source and id as one string: what goes in comes out, and no two commands share one."""

import itertools

import pytest

from functions.lifecycle.command_key import join_key, split_key

SOURCES = [
    "/cron",
    "rest:alice",
    "rest:Jane Doe",
    "rest:Jane",
    "rest:a b c",
    '["x","y"]',
    "urn:a%20b",
    "rest:ä ö",
    "rest: x ",
]
IDS = [
    "1",
    "night 1",
    "Doe 1",
    " ",
    "a namespaces/ml/inferenceservices/iris",
    "a b namespaces/ml/inferenceservices/iris",
    '["',
    "é",
]


@pytest.mark.parametrize(("source", "command"), list(itertools.product(SOURCES, IDS)))
def test_what_goes_in_comes_out(source, command):
    assert split_key(join_key(source, command)) == (source, command)


def test_no_two_commands_share_a_key():
    keys = [join_key(source, command) for source, command in itertools.product(SOURCES, IDS)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("/cron night-1", ("/cron", "night-1")),
        ("rest:alice 7f3", ("rest:alice", "7f3")),
        ("rest:Jane Doe 7f3", ("rest:Jane Doe", "7f3")),
        (
            "rest:Jane Doe 7f3 namespaces/ml/inferenceservices/iris",
            ("rest:Jane Doe", "7f3 namespaces/ml/inferenceservices/iris"),
        ),
        (
            "rest:alice 7f3 namespaces/ml/inferenceservices/iris",
            ("rest:alice", "7f3 namespaces/ml/inferenceservices/iris"),
        ),
        ("external 1-2 33", ("external", "1-2 33")),
        ("healed", ("healed", "")),
        ('["rest:x', ('["rest:x', "")),
        ('["a","b","c"] d', ('["a","b","c"]', "d")),
    ],
)
def test_keys_as_they_were_written_before_are_read(key, parts):
    assert split_key(key) == parts
