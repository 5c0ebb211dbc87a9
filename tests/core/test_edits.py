"""What a resume with an edited file would change, and what no edit may touch."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.edits import Comparison, compare
from mflow.core.kept import definition_from_json, definition_to_json
from mflow.core.model import Definition, Reset, Task, TaskRow
from mflow.core.states import TaskState

P, R, S, F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED


def definition(numbers: tuple[int, ...] = (), /, **commands: str) -> Definition:
    tasks = tuple(Task(name, "bash", options={"command": command}) for name, command in commands.items())
    return Definition(tasks, "/old.json", "/cwd", numbers=numbers)


def rows(kept: Definition, *states: TaskState) -> list[TaskRow]:
    return [
        TaskRow(number, task.id, task.type, state)
        for number, task, state in zip(kept.task_numbers, kept.tasks, states, strict=True)
    ]


def after(comparison: Comparison) -> Mapping[int, str]:
    new = comparison.edit.definition
    return {
        number: f"{task.id}={task.options['command']}"
        for number, task in zip(new.task_numbers, new.tasks, strict=True)
    }


def test_the_same_file_changes_nothing() -> None:
    kept = definition(a="1", b="2")
    comparison = compare(kept, kept, rows(kept, S, F))
    assert not comparison.differs
    assert comparison.edit.definition == kept
    assert (comparison.edit.added, comparison.edit.removed, comparison.edit.changed) == ((), (), ())


def test_added_tasks_get_the_numbers_that_follow() -> None:
    kept = definition(a="1", b="2")
    comparison = compare(kept, definition(z="9", a="1", y="8", b="2"), rows(kept, S, F))
    assert comparison.added == ("z", "y")
    assert after(comparison) == {0: "a=1", 1: "b=2", 2: "z=9", 3: "y=8"}
    assert comparison.edit.definition.numbers == ()
    assert [number for number, _ in comparison.edit.added] == [2, 3]


def test_removed_tasks_leave_a_gap_unless_they_are_done_or_under_way() -> None:
    kept = definition(pending="1", failed="2", done="3", running="4", last="5")
    comparison = compare(kept, definition(last="5"), rows(kept, P, F, S, R, P))
    assert comparison.removed == ("pending", "failed", "done", "running")
    assert comparison.finished == ("done",)
    assert comparison.still_running == ("running",)
    assert comparison.edit.removed == (0, 1)
    assert after(comparison) == {2: "done=3", 3: "running=4", 4: "last=5"}
    assert comparison.edit.definition.numbers == (2, 3, 4)


def test_changed_tasks_are_taken_over_unless_they_run() -> None:
    kept = definition(pending="1", done="2", running="3")
    comparison = compare(kept, definition(pending="x", done="y", running="z"), rows(kept, P, S, R))
    assert comparison.changed == ("pending", "done", "running")
    assert comparison.still_running == ("running",)
    assert [number for number, _ in comparison.edit.changed] == [0, 1]
    assert after(comparison) == {0: "pending=x", 1: "done=y", 2: "running=3"}


def test_a_changed_task_does_not_wait_for_the_next_try_of_what_it_was() -> None:
    kept = definition(waiting="1", new="2", failed="3", done="4", same="5")
    tried = [replace(row, tries=1, attempts=1) for row in rows(kept, P, P, F, S, P)]
    tried[1] = replace(tried[1], tries=0, attempts=0)
    edited = definition(waiting="x", new="x", failed="x", done="x", same="5")
    assert compare(kept, edited, tried).edit.resets == (Reset(0),)


def test_a_second_edit_goes_on_behind_the_gaps() -> None:
    kept = definition((1, 4), b="2", e="5")
    comparison = compare(kept, definition(b="2", f="6"), rows(kept, S, F))
    assert comparison.edit.removed == (4,)
    assert after(comparison) == {1: "b=2", 5: "f=6"}
    assert comparison.edit.definition.numbers == (1, 5)


def test_where_a_run_came_from_stays_but_for_the_file() -> None:
    kept = replace(definition(a="1"), config="/c.json", oneshot="a")
    edited = replace(definition(a="2"), taskfile="/new.json", cwd="/elsewhere", config="/d.json")
    new = compare(kept, edited, rows(kept, F)).edit.definition
    assert (new.taskfile, new.cwd, new.config, new.oneshot) == ("/new.json", "/cwd", "/c.json", "a")


def test_secrets_are_no_change_and_come_from_the_file() -> None:
    read = Definition((Task("a", "bash", env=(("TOKEN", "hunter2"),)),), "/t", "/")
    kept = definition_from_json(definition_to_json(read))
    comparison = compare(kept, read, rows(kept, P))
    assert not comparison.differs
    assert comparison.edit.definition == read


_NAMES = st.sampled_from("abcdefgh")
_FILES = st.dictionaries(_NAMES, st.sampled_from(["1", "2"]))


@given(_FILES, st.lists(_FILES, max_size=4), st.data())
def test_whatever_is_edited(first: dict[str, str], later: list[dict[str, str]], data: st.DataObject) -> None:
    kept = definition(**first)
    for commands in later:
        states = data.draw(
            st.lists(st.sampled_from(TaskState), min_size=len(kept.tasks), max_size=len(kept.tasks))
        )
        before = rows(kept, *states)
        comparison = compare(kept, definition(**commands), before)
        new = comparison.edit.definition
        numbers = {task.id: number for number, task in zip(new.task_numbers, new.tasks, strict=True)}
        assert list(new.task_numbers) == sorted(set(new.task_numbers))
        assert len(numbers) == len(new.tasks)
        assert numbers.keys() >= commands.keys()
        for row in before:
            if row.state in {S, R}:
                assert numbers[row.id] == row.task_no
                assert row.task_no not in comparison.edit.removed
            elif row.id in numbers:
                assert numbers[row.id] == row.task_no
        kept = new
