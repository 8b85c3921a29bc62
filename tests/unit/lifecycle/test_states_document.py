"""The table of states that people read is the one that decides, and a stale copy is noticed."""

import sys

import pytest

from functions.lifecycle import document
from functions.lifecycle.reasons import ADVICE, Reason
from functions.lifecycle.rules import RULES


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command in an empty project; its exit status."""
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["document", *arguments])
        return document.main()

    return run


def rows(text):
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_every_rule_stands_in_its_order_with_a_number_of_its_own():
    found = [row for row in rows(document.render()) if row[0].isdigit()]
    assert found == [
        [str(place + 1), rule.condition, rule.state.value, rule.reasons] for place, rule in enumerate(RULES)
    ]


def test_every_advice_stands_beside_its_reason_at_the_end():
    assert rows(document.render())[-len(ADVICE) :] == [[reason, text] for reason, text in ADVICE.items()]


def test_each_table_begins_under_its_own_head():
    text = document.render()
    assert text.startswith("# States\n")
    assert f"|---|---|---|---|\n| 1 | {RULES[0].condition} |" in text
    assert f"| {RULES[-1].reasons} |\n\n## How a model moves\n" in text
    last = list(ADVICE)[-1]
    assert text.endswith(f"|\n| {last} | {ADVICE[last]} |\n")
    assert text.count("\n\n\n") == 0


def test_what_was_written_is_found_in_order_and_what_was_changed_is_not(run, tmp_path, capsys):
    written = tmp_path / "docs" / "states.md"
    assert run("--check") == 1
    assert capsys.readouterr().err == "docs/states.md is stale; run `make generate`\n"
    assert not written.exists()
    assert run() == 0
    assert written.read_text() == document.render()
    assert run("--check") == 0
    assert capsys.readouterr().err == ""
    written.write_text("older")
    assert run("--check") == 1
    assert written.read_text() == "older"


def test_every_reason_of_ours_stands_in_the_document():
    text = document.render()
    assert [reason for reason in Reason if reason not in text] == []
