"""A claim that is looked at again and again: real files, a clock that the test moves."""

import os
import shutil

import pytest
from artifact_files import later, mark, model, removed_later, safetensors, write

from events.artifact import Completeness, Strategy
from events.artifacts.reading import Reader
from events.artifacts.survey import survey
from events.artifacts.watching import Claim, ClaimWatch, _Known, places


class Rig:
    def __init__(self, root, **claim):
        self.root = root
        self.now = 0.0
        self.said = []
        self.claim = Claim("models", "ml", root, **claim)
        self.restart()

    def restart(self):
        self.watch = ClaimWatch(self.claim, self.said.append, clock=lambda: self.now)

    def poll(self, seconds=0.0):
        self.now += seconds
        return list(self.watch.poll())

    def one(self, seconds=0.0):
        (news,) = self.poll(seconds)
        return news


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def test_what_is_there_at_the_start_is_told_once(rig):
    model(rig.root / "fraud/scorer")
    news = rig.one()
    artifact = news.artifact
    assert (artifact.uri, artifact.namespace) == ("pvc://models/fraud/scorer", "ml")
    assert artifact.digest == Reader().digest(survey(rig.root / "fraud/scorer"))
    assert (artifact.complete, artifact.strategy) == (Completeness.SUCCESS_FILE, Strategy.ROLLING)
    assert rig.poll(60) == []


def test_a_restart_repeats_the_same_event(rig):
    model(rig.root / "m")
    first = rig.one()
    rig.restart()
    assert rig.one() == first


def test_the_same_bytes_written_again_are_another_event(rig):
    """A model that is rolled back: its first event is done, and would be taken for repeated."""
    folder = model(rig.root / "m", b"\x80\x04N.")
    first = rig.one()
    later(folder / "model.pkl", b"\x80\x04K\x01.")
    mark(folder)
    second = rig.one()
    later(folder / "model.pkl", b"\x80\x04N.")
    mark(folder)
    third = rig.one()
    assert third.artifact.digest == first.artifact.digest != second.artifact.digest
    assert len({first.id, second.id, third.id}) == 3


def test_without_a_marker_it_must_stay_the_same_for_a_while(rig):
    folder = model(rig.root / "m", marked=False)
    assert rig.poll() == []
    assert rig.poll(14.9) == []
    later(folder / "model.pkl", b"\x80\x04K\x01.")
    assert rig.poll(0.1) == []
    assert rig.poll(14.9) == []
    assert rig.one(0.1).artifact.complete is Completeness.STABLE


def test_a_half_written_artifact_is_never_told_of(rig):
    """A training writes in small pieces, for long, into a folder whose old marker it leaves."""
    folder = model(rig.root / "m", b"\x80\x04N.")
    rig.one()
    removed_later(folder / "model.pkl")
    assert rig.poll(60) == []
    grown = b"\x80\x04"
    for _ in range(20):
        grown += b"K\x01"
        later(folder / "model.pkl", grown)
        assert rig.poll(10) == []
    later(folder / "model.pkl", grown + b".")
    assert rig.poll() == []
    os.utime(folder)
    mark(folder)
    assert rig.one().artifact.complete is Completeness.SUCCESS_FILE


def test_one_that_is_written_to_while_it_is_read_waits(rig):
    folder = model(rig.root / "m", b"\x80\x04N.")
    meddled = []

    def meddle(_count):
        if not meddled:
            meddled.append(later(folder / "model.pkl", b"\x80\x04K\x01."))

    rig.watch._known["m"] = _Known(reader=Reader(meddle))
    assert rig.poll() == []
    mark(folder)
    assert rig.one().artifact.digest == Reader().digest(survey(folder))


def test_one_that_is_broken_is_complained_of_once_and_told_of_when_mended(rig):
    folder = model(rig.root / "m", marked=False)
    write(folder, "w.safetensors", safetensors(b"\x00" * 4, declared=8))
    mark(folder)
    assert rig.poll() == rig.poll(60) == []
    assert len(rig.said) == 1
    assert "w.safetensors" in rig.said[0]
    later(folder / "w.safetensors", safetensors())
    mark(folder)
    assert rig.one()


@pytest.mark.parametrize("content", [None, b""])
def test_an_empty_artifact_is_never_told_of(rig, content):
    (rig.root / "m").mkdir()
    mark(rig.root / "m")
    if content is not None:
        write(rig.root / "m", "model.pkl", content)
    assert rig.poll() == rig.poll(60) == []


def test_what_is_gone_and_comes_back_is_news(rig):
    model(rig.root / "m")
    first = rig.one()
    shutil.rmtree(rig.root / "m")
    assert rig.poll() == []
    model(rig.root / "m")
    again = rig.one()
    assert again.artifact == first.artifact
    assert again.id != first.id


def test_a_claim_that_is_away_for_a_while_forgets_nothing(rig, tmp_path_factory):
    model(rig.root / "m")
    rig.one()
    rig.root.rename(away := tmp_path_factory.mktemp("away") / "claim")
    assert rig.poll() == rig.poll() == []
    assert len(rig.said) == 1
    away.rename(rig.root)
    assert rig.poll() == []


def test_one_that_cannot_be_read_keeps_no_other_from_being_told_of(rig):
    model(rig.root / "a")
    os.mkfifo(rig.root / "a" / "pipe")
    model(rig.root / "b")
    model(rig.root / "with space")
    assert rig.one().artifact.uri == "pvc://models/b"
    assert len(rig.said) == 2


def test_only_the_artifacts_named(tmp_path):
    rig = Rig(tmp_path, chosen=places(["/fraud/", "pipelines/spark"]), strategy=Strategy.REPLACE)
    model(tmp_path / "other")
    write(tmp_path, "pipelines/spark/stages/0/part-0000", b"x")
    mark(tmp_path / "pipelines/spark/stages/0")
    mark(tmp_path / "pipelines/spark")
    news = rig.one()
    assert (news.artifact.uri, news.artifact.strategy) == ("pvc://models/pipelines/spark", Strategy.REPLACE)


def test_a_path_that_leaves_the_claim_is_refused():
    with pytest.raises(ValueError, match="leaves"):
        places(["../other"])
