"""Who waits for whom: the graph of a definition by task numbers, and what may be wrong with one.

Numbers instead of ids, tuples instead of objects: 100,000 tasks of three dependencies each take some 20 MB.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mflow.core.model import Definition
from mflow.core.suggest import did_you_mean

_SUGGESTIONS = 20
"""For how many missing tasks a likely name is looked for: each costs a look at every id."""


@dataclass(frozen=True, slots=True)
class Graph:
    """`upstream[n]` and `downstream[n]` are the numbers of the tasks before and behind task number n.

    Both are ascending and hold no number twice; a number that no task has (see `Definition.numbers`) has
    neither. What depends on an id that the definition does not have does not wait for it.
    """

    numbers: Sequence[int]
    upstream: tuple[tuple[int, ...], ...]
    downstream: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, definition: Definition) -> "Graph":
        """The graph of a definition whose ids are unique."""
        numbers = definition.task_numbers
        number_of = {task.id: number for task, number in zip(definition.tasks, numbers, strict=True)}
        size = numbers[-1] + 1 if numbers else 0
        upstream: list[tuple[int, ...]] = [()] * size
        for task, number in zip(definition.tasks, numbers, strict=True):
            if task.depends:
                upstream[number] = _resolved(task.depends, number_of)
        return cls(numbers, tuple(upstream), _reversed(upstream))


def _resolved(depends: Sequence[str], number_of: Mapping[str, int]) -> tuple[int, ...]:
    if len(depends) == 1:
        number = number_of.get(depends[0])
        return () if number is None else (number,)
    return tuple(sorted({number_of[name] for name in depends if name in number_of}))


def _reversed(upstream: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    downstream: list[list[int] | None] = [None] * len(upstream)
    for number, before in enumerate(upstream):
        for one in before:
            behind = downstream[one]
            if behind is None:
                downstream[one] = [number]
            else:
                behind.append(number)
    return tuple([tuple(behind) if behind else () for behind in downstream])


# ------------------------------------------------------------------------------------ what may be wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the id of a task, or (if `dependency` is given) with one of its dependencies."""

    task: int  # position in the list of tasks
    dependency: int | None  # position in its `depends`
    text: str
    warning: bool = False


def examine(ids: Sequence[str], depends: Sequence[Sequence[str]]) -> list[Finding]:
    """All that is wrong with a graph: ids twice, missing dependencies, a task behind itself, cycles.

    A dependency named twice is a warning. Cycles that share a task are reported one at a time.
    """
    position = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
    rows = [tuple(map(position.get, names)) for names in depends]
    findings = _twice(ids, position) + _dependencies(depends, rows, position)
    findings += _on_cycles(ids, rows)
    return sorted(findings, key=lambda one: (one.task, -1 if one.dependency is None else one.dependency))


def _twice(ids: Sequence[str], position: Mapping[str, int]) -> list[Finding]:
    if len(position) == len(ids):
        return []
    return [
        Finding(task, None, f'the id "{name}" is already that of tasks[{position[name]}]')
        for task, name in enumerate(ids)
        if position[name] != task
    ]


_Row = tuple[int | None, ...]
"""Where the dependencies of a task are; None for one that is missing."""


def _dependencies(
    depends: Sequence[Sequence[str]], rows: Sequence[_Row], position: Mapping[str, int]
) -> list[Finding]:
    findings: list[Finding] = []
    suggestions = _Suggestions(position)
    for task, row in enumerate(rows):
        if row and (None in row or task in row or len(set(row)) != len(row)):
            findings += _wrong_in(task, depends[task], row, suggestions)
    return findings


def _wrong_in(task: int, names: Sequence[str], row: _Row, suggestions: "_Suggestions") -> Iterator[Finding]:
    seen: set[str] = set()
    for dependency, (name, before) in enumerate(zip(names, row, strict=True)):
        if name in seen:
            yield Finding(task, dependency, f'"{name}" is already named', warning=True)
        elif before is None:
            yield Finding(task, dependency, f'no task "{name}"{suggestions.for_word(name)}')
        elif before == task:
            yield Finding(task, dependency, f'"{name}" depends on itself')
        seen.add(name)


class _Suggestions:
    """What may have been meant, for the first missing names only."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = known
        self._found: dict[str, str] = {}

    def for_word(self, word: str) -> str:
        if word not in self._found and len(self._found) < _SUGGESTIONS:
            self._found[word] = did_you_mean(word, self._known)
        return self._found.get(word, "")


def _on_cycles(ids: Sequence[str], rows: Sequence[_Row]) -> Iterator[Finding]:
    if _in_order(rows):
        return
    upstream = [[one for one in row if one is not None and one != task] for task, row in enumerate(rows)]
    for cycle in cycles(upstream):
        start = cycle.index(min(cycle))
        path = [*cycle[start:], *cycle[: start + 1]]
        where = rows[path[0]].index(path[1])
        yield Finding(path[0], where, f"a cycle: {' -> '.join([ids[task] for task in path])}")


def _in_order(rows: Sequence[_Row]) -> bool:
    """Whether everything depends only on what stands above it, as in most files."""
    for task, row in enumerate(rows):
        for before in row:
            if before is None or before >= task:
                return False
    return True


def cycles(upstream: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Cycles without a common task, each as the numbers along `upstream`; none iff there is no cycle.

    A walk in depth without recursion, since a cycle may be as long as the graph.
    """
    entered, done = bytearray(len(upstream)), bytearray(len(upstream))
    for root in range(len(upstream)):
        path: list[int] = []
        ahead: list[Iterator[int]] = [iter((root,))]  # what is still to be looked at behind each of the path
        while ahead:
            number = next((one for one in ahead[-1] if not done[one]), None)
            if number is None:
                ahead.pop()
                if path:
                    done[path.pop()] = True
            elif entered[number]:
                cycle = _cut(path, number)
                del ahead[len(path) + 1 :]
                for one in cycle:
                    done[one] = True
                yield cycle
            else:
                entered[number] = True
                path.append(number)
                ahead.append(iter(upstream[number]))


def _cut(path: list[int], number: int) -> list[int]:
    """Take the end of the path, from `number` on, off it. Looked for from the end: the beginning is long."""
    start = len(path) - 1
    while path[start] != number:
        start -= 1
    cycle = path[start:]
    del path[start:]
    return cycle
