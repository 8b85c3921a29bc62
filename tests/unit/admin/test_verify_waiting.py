"""Waiting: what is told on the way, when it ends, and an API server that is away for a moment."""

import io

import pytest
from rich.console import Console
from verify_seen import LOADING, MISSING, a_pod, sighting

from functions.adapters import probe
from functions.adapters.probe import DirectLine, ProxyLine, line_for
from functions.admin.verify.judging import judge
from functions.admin.verify.waiting import Waiting
from functions.lifecycle.errors import ClusterUnavailable
from functions.lifecycle.observation import Answer

GOOD, EMPTY, LOADS = (judge(sighting(pod)) for pod in (a_pod(), a_pod(MISSING), a_pod(LOADING)))
COMES_UP = judge(sighting(a_pod(ready=False), ready=Answer.FALSE))


def looks(*answers):
    """Each look's rows or error, in turn; the last for ever."""
    left = list(answers)

    async def look():
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def waiting(seconds, *, terminal=False):
    told = io.StringIO()
    return Waiting(seconds, Console(file=told, force_terminal=terminal, width=100, color_system=None), pause=0.01), told


async def test_without_patience_there_is_one_look_and_nothing_is_told():
    wait, told = waiting(0)
    assert list(await wait.until_settled(looks([EMPTY], [GOOD]))) == [EMPTY]
    assert told.getvalue() == ""


async def test_it_ends_with_the_first_look_in_which_all_is_settled_and_tells_each_change_once():
    wait, told = waiting(20)
    rows = await wait.until_settled(looks([COMES_UP], [COMES_UP], [LOADS], [LOADS], [EMPTY], [GOOD]))
    assert list(rows) == [GOOD]
    lines = [" ".join(line.split(":")[:2]) for line in told.getvalue().splitlines() if line.startswith("ml/fraud")]
    assert lines == ["ml/fraud  starting", "ml/fraud  DIFFERS", "ml/fraud  DIFFERS", "ml/fraud  answers"]


async def test_it_ends_when_time_is_over():
    wait, _ = waiting(0.1)
    assert list(await wait.until_settled(looks([EMPTY]))) == [EMPTY]


async def test_an_api_server_that_is_away_for_a_moment_is_waited_for():
    wait, _ = waiting(20)
    away = ClusterUnavailable("GET /api: connection refused")
    assert list(await wait.until_settled(looks([EMPTY], away, away, [GOOD]))) == [GOOD]


async def test_one_that_was_never_there_is_not():
    wait, _ = waiting(20)
    with pytest.raises(ClusterUnavailable):
        await wait.until_settled(looks(ClusterUnavailable("GET /api: connection refused")))


async def test_on_a_terminal_it_shows_how_far_it_is():
    wait, told = waiting(20, terminal=True)
    await wait.until_settled(looks([EMPTY, GOOD], [GOOD, GOOD]))
    assert "1 of 2 settled: ml/fraud, DIFFERS" in told.getvalue()


@pytest.mark.parametrize(
    ("way", "inside", "kubeconfig", "line"),
    [
        (None, True, False, DirectLine),
        (None, True, True, ProxyLine),
        (None, False, False, ProxyLine),
        ("pods", False, True, DirectLine),
        ("apiserver", True, False, ProxyLine),
        ("off", True, False, type(None)),
    ],
)
def test_whom_to_ask_follows_from_where_it_runs(way, inside, kubeconfig, line, monkeypatch):
    for name, there in (("KUBERNETES_SERVICE_HOST", inside), ("KUBECONFIG", kubeconfig)):
        monkeypatch.delitem(probe.os.environ, name, raising=False)
        if there:
            monkeypatch.setitem(probe.os.environ, name, "here")
    assert isinstance(line_for(way, None), line)
