"""Steps in flight. A generator can't be copied, so a process is how it began and what it was answered so far.

Its identity is what it can still do: the local variables of its whole chain of generators. Two ways to the same
variables are one process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asks import Ask, Asking, Plan, Step
from renumber import Pool, numbers_in, rewrite

from functions.lifecycle.effects import StepAnswer
from functions.lifecycle.errors import StepError
from functions.reconcile.ports import Commit

NOTIFICATION = -1
Begin = Callable[[], Step]


@dataclass(frozen=True)
class Process:
    """`ask` is what it waits for; None once it ended, then with its answer or the error that its caller is told."""

    who: int
    name: str
    begin: Begin
    answers: tuple[Any, ...]
    ask: Ask | None
    record: int = 0
    plan: int = 0
    answer: StepAnswer | None = None
    error: StepError | None = None


class Processes:
    """All processes that were ever seen, by small numbers; replays one only where it was never there before."""

    def __init__(self, records: Pool, plans: Pool) -> None:
        self.all: list[Process] = []
        self.numbers: list[tuple[int, ...]] = []
        self._records, self._plans = records, plans
        self._known: dict[str, int] = {}
        self._begun: dict[Any, int] = {}
        self._next: dict[Any, int] = {}
        self._renamed: dict[tuple[int, ...], int] = {}

    def begin(self, who: int, name: str, begin: Begin, first: Any, make: Callable[[], Any]) -> int:
        """A process after its first answer; `first` names the answer, `make` makes it."""
        key = (name, first)
        found = self._begun.get(key)
        if found is None:
            found = self._begun[key] = self._replay(who, name, begin, (make(),))
        return found

    def answer(self, process: int, named: Any, make: Callable[[], Any]) -> int:
        """The process after one more answer; an exception is thrown into it."""
        key = (process, named)
        found = self._next.get(key)
        if found is None:
            before = self.all[process]
            found = self._next[key] = self._replay(before.who, before.name, before.begin, (*before.answers, make()))
        return found

    def rename(self, process: int, ranks: dict[int, int]) -> int:
        old = self.numbers[process]
        if not old:
            return process
        key = (process, *[ranks[number] for number in old])
        found = self._renamed.get(key)
        if found is None:
            before = self.all[process]
            answers = rewrite(before.answers, lambda number: ranks.get(number, number))
            found = self._renamed[key] = self._replay(before.who, before.name, before.begin, answers)
        return found

    def _replay(self, who: int, name: str, begin: Begin, answers: tuple[Any, ...]) -> int:
        step = begin()
        ask, answer, error = step.send(None), None, None
        try:
            for given in answers:
                ask = step.throw(given) if isinstance(given, Exception) else step.send(given)
        except StopIteration as stop:
            ask, answer = None, stop.value
        except StepError as told:
            ask, error = None, told
        text = f"{who} {name} {_variables(step) if ask else (answer, error)}"
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = len(self.all)
            record = self._records.put(ask.record) if isinstance(ask, Commit) else 0
            plan = self._plans.put(ask.intent) if isinstance(ask, Plan) else 0
            self.all.append(Process(who, name, begin, answers, ask, record, plan, answer, error))
            needed = numbers_in(text) if ask else ()
            self.numbers.append(tuple(sorted({*needed, *numbers_in(repr(answers))})) if ask else ())
        return found


def _variables(step: Any) -> str:
    """Where each coroutine of the chain stands, and what it knows; what it asks of the ports follows from that."""
    chain = []
    while (
        step is not None
        and getattr(step, "cr_frame", None)
        and not isinstance(step.cr_frame.f_locals.get("self"), Asking)
    ):
        frame = step.cr_frame
        chain.append(f"{frame.f_code.co_name}:{frame.f_lasti}:{frame.f_locals!r}")
        step = step.cr_await
    return " | ".join(chain)
