"""The graph of a definition, and what is said about a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.graph import Finding, Graph, cycles, examine
from mflow.core.model import Definition, Task

_GRAPHS = st.integers(0, 12).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, max(size - 1, 0)), max_size=4), min_size=size, max_size=size
    )
)


def definition(numbers: tuple[int, ...] = (), **depends: str) -> Definition:
    tasks = tuple(Task(name, "bash", depends=tuple(before.split())) for name, before in depends.items())
    return Definition(tasks, "/t", "/", numbers=numbers)


def texts(findings: list[Finding]) -> list[str]:
    return [
        f"tasks[{one.task}]{'' if one.dependency is None else f'.depends[{one.dependency}]'}: {one.text}"
        for one in findings
    ]


def sorts(upstream: list[list[int]]) -> bool:
    """Whether a topological order exists, by the plainest way to find one."""
    left = {number: set(before) for number, before in enumerate(upstream)}
    while ready := [number for number, before in left.items() if not before & left.keys()]:
        for number in ready:
            del left[number]
    return not left


class TestGraph:
    def test_both_directions_by_number(self) -> None:
        graph = Graph.of(definition(a="", b="a", c="a", d="c b"))
        assert list(graph.numbers) == [0, 1, 2, 3]
        assert graph.upstream == ((), (0,), (0,), (1, 2))
        assert graph.downstream == ((1, 2), (3,), (3,), ())

    def test_a_dependency_named_twice_counts_once(self) -> None:
        graph = Graph.of(definition(a="", b="a a"))
        assert (graph.upstream, graph.downstream) == (((), (0,)), ((1,), ()))

    def test_numbers_may_have_gaps(self) -> None:
        graph = Graph.of(definition((1, 4), a="", b="a"))
        assert graph.numbers == (1, 4)
        assert graph.upstream == ((), (), (), (), (1,))
        assert graph.downstream == ((), (4,), (), (), ())

    def test_what_is_not_there_is_not_waited_for(self) -> None:
        assert Graph.of(definition(a="gone", b="gone a")).upstream == ((), (0,))

    def test_no_tasks(self) -> None:
        assert Graph.of(definition()) == Graph(range(0), (), ())

    @given(_GRAPHS)
    def test_the_directions_mirror_each_other(self, upstream: list[list[int]]) -> None:
        tasks = [Task(str(number), "bash", tuple(map(str, before))) for number, before in enumerate(upstream)]
        graph = Graph.of(Definition(tuple(tasks), "/t", "/"))
        edges = {(before, number) for number, row in enumerate(graph.upstream) for before in row}
        assert edges == {(number, behind) for number, row in enumerate(graph.downstream) for behind in row}
        assert edges == {(before, number) for number, row in enumerate(upstream) for before in row}
        assert all(list(row) == sorted(set(row)) for row in graph.upstream + graph.downstream)


class TestExamine:
    def test_a_good_graph(self) -> None:
        assert examine(["a", "b", "c"], [["c"], [], ["b"]]) == []

    def test_a_missing_dependency(self) -> None:
        findings = examine(["extract", "load"], [[], ["extarct", "zzz"]])
        assert texts(findings) == [
            'tasks[1].depends[0]: no task "extarct" (did you mean "extract"?)',
            'tasks[1].depends[1]: no task "zzz"',
        ]

    def test_an_id_twice(self) -> None:
        assert texts(examine(["a", "b", "a", "a"], [[], [], ["b"], []])) == [
            'tasks[2]: the id "a" is already that of tasks[0]',
            'tasks[3]: the id "a" is already that of tasks[0]',
        ]

    def test_a_task_behind_itself(self) -> None:
        assert texts(examine(["a", "b"], [[], ["a", "b"]])) == ['tasks[1].depends[1]: "b" depends on itself']

    def test_a_dependency_named_twice_is_a_warning(self) -> None:
        assert examine(["a", "b"], [[], ["a", "a"]]) == [Finding(1, 1, '"a" is already named', warning=True)]

    def test_a_cycle_is_printed_as_its_path_from_the_first_of_its_tasks(self) -> None:
        findings = examine(["z", "c", "a", "b"], [["c"], ["z", "a"], ["b"], ["c"]])
        assert texts(findings) == ["tasks[0].depends[0]: a cycle: z -> c -> z"]

    def test_cycles_apart_are_all_reported(self) -> None:
        findings = examine(["a", "b", "c", "d", "e"], [["b"], ["a"], ["d"], ["e", "a"], ["c"]])
        assert texts(findings) == [
            "tasks[0].depends[0]: a cycle: a -> b -> a",
            "tasks[2].depends[0]: a cycle: c -> d -> e -> c",
        ]

    def test_a_cycle_as_long_as_the_graph(self) -> None:
        size = 50_000
        ids = [f"t{number}" for number in range(size)]
        (finding,) = examine(ids, [[ids[number - 1]] for number in range(size)])
        path = finding.text.removeprefix("a cycle: ").split(" -> ")
        assert path == ["t0", *reversed(ids)]

    def test_very_many_missing_names_do_not_take_very_long(self) -> None:
        ids = [f"task number {number}" for number in range(20_000)]
        assert len(examine(ids, [[f"tusk number {number}"] for number in range(20_000)])) == 20_000


class TestCycles:
    @given(_GRAPHS)
    def test_found_iff_there_is_no_order(self, upstream: list[list[int]]) -> None:
        assert bool(list(cycles(upstream))) is not sorts(upstream)

    @given(_GRAPHS)
    def test_each_is_a_cycle_and_no_two_meet(self, upstream: list[list[int]]) -> None:
        met: list[int] = []
        for cycle in cycles(upstream):
            assert all(b in upstream[a] for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
            met += cycle
        assert len(met) == len(set(met))

    @pytest.mark.parametrize("size", [1, 2, 3, 1000])
    def test_of_any_length(self, size: int) -> None:
        ring = [[(number + 1) % size] for number in range(size)]
        assert [sorted(cycle) for cycle in cycles(ring)] == [list(range(size))]

    def test_many_small_ones_at_the_end_of_a_long_chain(self) -> None:
        chain, pairs = 20_000, 10_000
        upstream: list[list[int]] = [[number + 1] for number in range(chain - 1)]
        upstream.append([chain + 2 * pair for pair in range(pairs)])
        for pair in range(pairs):
            upstream += [[chain + 2 * pair + 1], [chain + 2 * pair]]
        assert len(list(cycles(upstream))) == pairs
