"""One part's life, with real processes: waiting for what it needs, dying, coming back, being done once."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from broker_process import until

from functions.local.supervisor.children import Children
from functions.local.supervisor.keeper import Keeper
from functions.local.supervisor.output import pump
from functions.local.supervisor.part import Ends, Part, Says

SH = "/bin/sh"


class Household:
    """A prefork server and the keepers of some parts, without the supervisor around them."""

    def __init__(self, *parts: Part) -> None:
        self.lines: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.lost = asyncio.Event()
        self.keepers: dict[str, Keeper] = {}
        for part in parts:
            self.keepers[part.name] = Keeper(part, self.keepers, self.said.append, lambda: None)

    def hear(self, name: str, text: str) -> None:
        self.lines.append((name, text))
        self.keepers[name].hear(text)

    async def open(self):
        pipes = {name: os.pipe() for name in self.keepers}
        self.tasks = [
            asyncio.create_task(pump(reading, lambda text, name=name: self.hear(name, text)))
            for name, (reading, _) in pipes.items()
        ]
        outputs = {name: writing for name, (_, writing) in pipes.items()}
        self.children = await Children.open(outputs, [], dict(os.environ), self.lost.set)
        self.keeping = [asyncio.create_task(keeper.run(self.children)) for keeper in self.keepers.values()]
        for writing in outputs.values():
            os.close(writing)
        return self

    async def close(self):
        for task in self.keeping:
            task.cancel()
        await self.children.close()
        await asyncio.wait(self.tasks, timeout=5)


@contextlib.asynccontextmanager
async def household(*parts: Part):
    house = await Household(*parts).open()
    try:
        yield house
    finally:
        await house.close()


def shell(name: str, script: str, ready=None, **more) -> Part:
    return Part(name, SH, ("-c", script), ready or Says("ready"), dict(os.environ), imports="none", **more)


async def test_a_part_starts_only_when_what_it_needs_is_ready():
    first = shell("first", "sleep 0.3; echo ready; sleep 60")
    second = shell("second", "echo ready; sleep 60", needs=("first",))
    async with household(second, first) as house:
        await until(house.keepers["second"].ready.is_set, "both ready")
        assert [name for name, _ in house.lines] == ["first", "second"]


async def test_a_part_that_dies_is_started_again_and_that_is_said():
    async with household(shell("one", "echo ready $$; sleep 60")) as house:
        one = house.keepers["one"]
        await until(one.ready.is_set, "it is ready")
        before = one.pid
        os.kill(before, signal.SIGKILL)
        await until(lambda: one.ready.is_set() and one.pid not in {None, before}, "it is back")
        assert house.said == ["one ended (killed by SIGKILL); it starts again in 0.5 s"]


async def test_waits_grow_for_a_part_that_keeps_dying():
    async with household(shell("one", "exit 3")) as house:
        await until(lambda: len(house.said) == 2, "it died twice")
        assert house.said[0].endswith("(exit code 3); it starts again in 0.5 s")
        assert house.said[1].endswith("in 1 s")


async def test_a_dead_parts_own_children_die_with_it():
    async with household(shell("one", "sleep 61 & echo child $!; echo ready; wait")) as house:
        one = house.keepers["one"]
        await until(one.ready.is_set, "it is ready")
        child = int(next(text for _, text in house.lines if text.startswith("child")).split()[1])
        os.kill(one.pid, signal.SIGKILL)
        await until(lambda: not Path(f"/proc/{child}").exists(), "its child is gone")


async def test_what_is_to_be_done_once_is_done_again_when_its_need_restarts():
    need = shell("need", "echo ready; sleep 60")
    once = shell("once", "echo done", Ends(), needs=("need",))
    async with household(need, once) as house:
        await until(house.keepers["once"].ready.is_set, "done")
        os.kill(house.keepers["need"].pid, signal.SIGKILL)
        await until(lambda: house.lines.count(("once", "done")) == 2, "done again")


async def test_a_part_whose_end_is_told_with_its_start_is_not_forgotten():
    """On a busy machine both notices are read at once."""
    notices = '{"name":"brief","pid":7}\\n{"name":"brief","pid":7,"exit":3}\\n'
    process = await asyncio.create_subprocess_exec(
        SH, "-c", f"read order; printf '{notices}'", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    children = Children(process, {"brief": 1}, lambda: None)
    pid, ended = await asyncio.wait_for(children.start(shell("brief", "exit 3")), 15)
    assert (pid, await ended) == (7, 3)
    await children.close()


async def test_a_module_is_forked_with_arguments_environment_and_a_group_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "forked_module.py").write_text(
        "import os, sys\nprint('ready', sys.argv[1:], os.environ['MARK'], os.getpgid(0) == os.getpid())\nsys.exit(7)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    part = Part("one", "forked_module", ("a", "b"), Says("ready"), {**os.environ, "MARK": "mine"})
    async with household(part) as house:
        await until(lambda: house.said, "it ended")
        assert ("one", "ready ['a', 'b'] mine True") in house.lines
        assert "exit code 7" in house.said[0]


async def test_the_end_of_the_prefork_is_noticed():
    async with household(shell("one", "echo ready; sleep 60")) as house:
        await until(house.keepers["one"].ready.is_set, "it is ready")
        house.children._process.kill()
        await asyncio.wait_for(house.lost.wait(), 5)
        os.killpg(house.keepers["one"].pid, signal.SIGKILL)
