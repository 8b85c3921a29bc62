"""Which folders of a claim are artifacts."""

import os

import pytest
from artifact_files import mark, write

from events.artifacts.finding import find


@pytest.fixture
def claim(tmp_path):
    return tmp_path


def test_each_folder_with_a_model_or_a_marker_is_one_with_all_below_it(claim):
    write(claim, "fraud/scorer/model.pkl")
    write(claim, "fraud/README.md")
    write(claim, "triton/resnet/config.pbtxt")
    write(claim, "triton/resnet/1/model.onnx")
    write(claim, "mlflow/run/MLmodel")
    write(claim, "mlflow/run/data/model.pth")
    write(claim, "custom/weights.xyz")
    mark(claim / "custom")
    write(claim, "data/train.csv")
    write(claim, ".cache/x/model.pkl")
    (claim / "empty").mkdir()
    assert find(claim).artifacts == ["custom", "fraud/scorer", "mlflow/run", "triton/resnet"]


def test_the_claim_itself_is_one_only_where_nothing_below_is(claim):
    write(claim, "model.pkl")
    assert find(claim).artifacts == [""]
    write(claim, "churn/model.pkl")
    assert find(claim).artifacts == ["churn"]


@pytest.mark.parametrize("name", ["m.SAFETENSORS", "config.json", "a.joblib", "x.bst", "saved_model.pb", "model.txt"])
def test_what_a_model_file_is_called(claim, name):
    write(claim, f"m/{name}")
    assert find(claim).artifacts == ["m"]


@pytest.mark.parametrize("name", ["train.csv", "metrics.json", "log.txt", "notes.md", ".hidden.pkl", "pkl", ".pkl"])
def test_what_is_no_model_file(claim, name):
    write(claim, f"m/{name}")
    assert find(claim).artifacts == []


def test_links_to_folders_are_not_followed(claim):
    write(claim, "m/model.pkl")
    (claim / "again").symlink_to("m")
    (claim / "round").symlink_to(".")
    assert find(claim).artifacts == ["m"]


def test_a_claim_that_is_gone_is_unread_not_empty(claim):
    found = find(claim / "gone")
    assert found.artifacts == []
    assert found.may_hold("anything")


def test_a_folder_that_cannot_be_listed_may_still_hold_what_it_held(claim, monkeypatch):
    write(claim, "ok/model.pkl")
    write(claim, "stale/scorer/model.pkl")
    listing = os.scandir

    def stale(path):
        if str(path).endswith("stale"):
            raise OSError(116, "Stale file handle")
        return listing(path)

    monkeypatch.setattr(os, "scandir", stale)
    found = find(claim)
    assert found.artifacts == ["ok"]
    assert "Stale file handle" in found.unread["stale"]
    assert found.may_hold("stale/scorer")
    assert not found.may_hold("stales")
