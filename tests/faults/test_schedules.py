"""Random schedules on real processes (a sample), and a judge that is able to fail."""

import asyncio
from dataclasses import replace

import pytest
from schedules.history import History, Last
from schedules.judge import judge
from schedules.plan import FEWEST_EVENTS, draw
from schedules.worlds import Sprung, play_all

SAMPLE = range(1, 4)


@pytest.mark.timeout(600)
def test_nothing_is_lost_stale_doubled_or_diverged_in_a_sample(tmp_path):
    failed = asyncio.run(_play_all(tmp_path))
    assert not failed, "\n".join(failed)


async def _play_all(folder):
    failed = []
    async for played in play_all(SAMPLE, folder, Sprung()):
        seed = played.schedule.seed
        assert len(played.schedule.events) >= FEWEST_EVENTS
        if not played.verdict.good:
            again = f"make faults-schedules SEED={seed} N=1"
            failed.append("\n".join([f"seed {seed} ({again})", *played.verdict.findings, str(played.history)]))
    return failed


def test_a_seed_is_a_schedule():
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_a_faultless_history_is_found_good():
    verdict = judge(_history().history)
    assert verdict.good, verdict.findings
    assert verdict.figures(1) == "schedules=1 lost=0 stale=0 doubled=0 diverged=0 replayed_after_loss=0"


def test_a_command_that_the_cluster_does_not_show_is_lost():
    assert judge(_history(stopped=False).history).lost == 1


def test_an_acknowledged_command_that_never_had_an_effect_is_lost():
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 20).committed("start-1").answered("start-1")
    book.sent("stop-2", "stop").claimed("stop-2", 21).committed("stop-2").answered("stop-2")
    verdict = judge(book.history)
    assert (verdict.lost, verdict.stale, verdict.doubled) == (1, 0, 0), verdict.findings


def test_a_command_dropped_with_nothing_newer_is_lost():
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 20).committed("start-1", "Superseded").answered("start-1")
    assert judge(book.history).lost == 1


@pytest.mark.parametrize("died", [False, True])
def test_a_command_that_a_stop_without_redis_overtook_is_not_lost(died):
    """It came when it was done, and has no number that could say so. Where the command's step died, it has come again since."""
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 20).patched("start-1", before=True, after=False)
    book.sent("stop-2", "stop").patched("stop-2", before=False, after=True, leased=False).answered("stop-2")
    if died:
        book.claimed("start-1", 20)
    book.committed("start-1", "Superseded").answered("start-1")
    verdict = judge(book.history)
    assert verdict.good, verdict.findings


def test_a_command_dropped_for_a_stop_without_redis_that_was_there_before_it_is_lost():
    book = _history()
    book.sent("stop-2", "stop").patched("stop-2", before=False, after=True, leased=False).answered("stop-2")
    book.sent("start-3", "start").claimed("start-3", 20).committed("start-3", "Superseded").answered("start-3")
    assert judge(book.history).lost == 1


def test_a_stop_that_found_the_model_stopped_and_whose_answer_was_lost_is_not_lost_after_a_start():
    """It is on the model that it was done, so that it does nothing when it comes again."""
    book = _history(stopped=False)
    book.sent("stop-2", "stop").noted("stop-2")
    book.sent("start-3", "start").claimed("start-3", 20).patched("start-3", before=True, after=False)
    book.committed("start-3").answered("start-3")
    book.claimed("stop-2", 30).committed("stop-2").answered("stop-2")
    verdict = judge(book.history)
    assert verdict.good, verdict.findings


def test_a_start_that_waited_is_not_stale_after_a_stop_that_was_noted_before_it():
    """The stop comes again, and does nothing, while the start waits for the last pod."""
    book = _history(stopped=False)
    book.sent("stop-2", "stop").noted("stop-2")
    book.sent("start-3", "start").claimed("start-3", 20).committed("start-3").answered("start-3")
    book.claimed("stop-2", 30).committed("stop-2").answered("stop-2")
    book.patched("start-3", before=True, after=False, leased=False)
    verdict = judge(book.history)
    assert verdict.good, verdict.findings


def test_a_start_that_waited_is_stale_after_a_stop_that_came_later():
    book = _history(stopped=False)
    book.sent("start-3", "start").claimed("start-3", 20).committed("start-3").answered("start-3")
    book.sent("stop-4", "stop").claimed("stop-4", 30).committed("stop-4").answered("stop-4")
    book.patched("start-3", before=True, after=False, leased=False)
    assert judge(book.history).stale == 1


def test_a_stop_that_was_noted_on_a_running_model_is_lost():
    book = _history(stopped=False)
    book.sent("start-2", "start").claimed("start-2", 20).patched("start-2", before=True, after=False)
    book.committed("start-2").answered("start-2")
    book.sent("stop-3", "stop").noted("stop-3").claimed("stop-3", 30).committed("stop-3").answered("stop-3")
    assert judge(book.history).lost >= 1


def test_an_older_command_after_a_newer_one_is_stale():
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 5).patched("start-1", before=True, after=False)
    book.answered("start-1")
    assert judge(book.history).stale == 1


def test_a_second_patch_of_one_command_is_doubled():
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 20).patched("start-1", before=True, after=False)
    book.committed("start-1").answered("start-1")
    book.patched("stop-1", before=False, after=True)
    assert judge(book.history).doubled == 1


def test_the_same_after_a_loss_of_redis_data_is_counted_apart():
    book = _history()
    book.sent("start-1", "start").claimed("start-1", 20).patched("start-1", before=True, after=False)
    book.committed("start-1").answered("start-1")
    book.history.add("data-lost", how="FLUSHALL")
    book.claimed("stop-1", 30).patched("stop-1", before=False, after=True)
    verdict = judge(book.history)
    assert verdict.good, verdict.findings
    assert verdict.replayed_after_loss


@pytest.mark.parametrize("what", ["dead-letter", "unanswered"])
def test_what_was_never_answered_has_diverged(what):
    book = _history()
    book.history.add(what, model="m", key="/s stop-1")
    assert judge(book.history).diverged == 1


def test_a_record_that_does_not_agree_has_diverged():
    book = _history()
    book.history.last = replace(book.history.last, disagreements=("the record says running",))
    assert judge(book.history).diverged == 1


def test_somebody_elses_later_change_is_no_loss():
    book = _history(stopped=False)
    book.history.add("outside", model="m", after=False)
    assert judge(book.history).good


class _Book:
    """A history, written by hand: one model, `m`."""

    def __init__(self, *, stopped):
        self.history = History()
        self.history.last = Last({"m": stopped})

    def sent(self, key, verb):
        return self._add("sent", key, verb=verb, by="event")

    def claimed(self, key, sequence, *, redelivered=False):
        return self._add("claimed", key, sequence=sequence, redelivered=redelivered)

    def patched(self, key, *, before, after, leased=True):
        return self._add("patched", key, before=before, after=after, leased=leased)

    def noted(self, key):
        return self._add("noted", key)

    def committed(self, key, outcome="done"):
        return self._add("committed", key, outcome=outcome, changed=True, reply="ok")

    def answered(self, key):
        return self._add("answered", key, status=202, accepted=True)

    def _add(self, what, key, **more):
        self.history.add(what, model="m", key=f"/s {key}", process="stop", **more)
        return self


def _history(*, stopped=True):
    """One stop, done and answered."""
    book = _Book(stopped=stopped)
    book.sent("stop-1", "stop").claimed("stop-1", 10).patched("stop-1", before=False, after=True)
    return book.committed("stop-1").answered("stop-1")
