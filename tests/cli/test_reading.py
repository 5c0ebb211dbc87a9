"""Runs read for showing: of a large one only what matters."""

from datetime import UTC, datetime

from mflow.cli.reading import read_view
from mflow.core.states import TaskState
from tests.cli.project import Project, bash_tasks


def test_of_a_large_run_only_the_notable_tasks_are_read_but_all_are_counted(project: Project) -> None:
    many = {f"t{number}": () for number in range(20)}
    run = project.new_run(*bash_tasks(**many, late=("t0",), later=("late",)))
    project.begin(run, 0, 1, 2, 3)
    project.end(run, 0, TaskState.FAILED, 3)
    project.end(run, 1, TaskState.SUCCESS, 0)
    project.end(run, 2, TaskState.PENDING, 1, not_before=datetime.now(UTC))
    store = project.store()
    whole, part = read_view(store, run), read_view(store, run, most_tasks=5)
    store.close()
    assert len(whole.tasks) == 22
    assert [(row.id, row.state) for row in part.tasks] == [
        ("t3", TaskState.RUNNING),
        ("t0", TaskState.FAILED),
        ("t2", TaskState.PENDING),
    ]
    assert part.counts == whole.counts
    assert part.blocked == whole.blocked == {"late": ("t0",), "later": ("t0",)}
    assert part.tasks[0] == whole.tasks[3]


def test_one_task(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=(), b=("a",)))
    project.begin(run, 0)
    store = project.store()
    assert store.read_task(run, "a") == store.read_tasks(run)[0]
    assert store.read_task(run, "c") is None
    store.close()
