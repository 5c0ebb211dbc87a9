"""The block a person acts on."""

from mflow.cli.failure import failure_blocks
from mflow.cli.hints import Commands
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome, TaskState
from tests.cli.rows import failed, graph, task_rows, view


def printed(path: str) -> list[str]:
    return ["reading", "boom"]


def gone(path: str) -> list[str]:
    raise FileNotFoundError(2, "No such file or directory", path)


def test_a_block_says_how_shows_the_log_names_what_waits_and_what_to_type() -> None:
    rows = task_rows(a=failed(3, tries=2, max_attempts=2, message="no\nspace"), b=TaskState.PENDING)
    [block] = failure_blocks(view(rows, graph(a=(), b=("a",))), Commands(), read_tail=printed)
    assert block == [
        "a FAILED: exit code 3 (try 2 of 2)",
        "  no space",
        "  last lines of /w/logs/run-7/x.1.log:",
        "    | reading",
        "    | boom",
        "  blocked behind it: b",
        "  whole log: mflow logs 7 a",
    ]


def test_a_log_that_cannot_be_read_is_said() -> None:
    [block] = failure_blocks(view(task_rows(a=failed())), Commands(), read_tail=gone)
    assert "  its log cannot be read: /w/logs/run-7/x.1.log: No such file or directory" in block


def test_an_empty_log_is_said() -> None:
    [block] = failure_blocks(view(task_rows(a=failed())), Commands(), read_tail=lambda path: [])
    assert "  it printed nothing: /w/logs/run-7/x.1.log" in block


def test_what_could_not_be_ended_is_named_by_pid() -> None:
    [block] = failure_blocks(view(task_rows(a=failed(survivors=(12, 13)))), Commands(), read_tail=printed)
    assert "  processes that could not be ended: 12, 13" in block


def test_what_nobody_has_tried_to_end_is_not_said_to_have_withstood() -> None:
    unknown = failed() | {"end": AttemptEnd(Outcome.UNKNOWN, message="who knows", survivors=(12, 13))}
    [block] = failure_blocks(view(task_rows(a=unknown)), Commands(), read_tail=printed)
    assert "  processes that may be left of it: 12, 13" in block


def test_only_the_first_failures_are_explained() -> None:
    rows = task_rows(**{f"t{number}": failed() for number in range(30)})
    blocks = failure_blocks(view(rows), Commands(), limit=2, read_tail=printed)
    assert [block[0] for block in blocks[:2]] == ["t0 FAILED: exit code 3", "t1 FAILED: exit code 3"]
    [others] = blocks[2]
    assert others.startswith("and 28 failed tasks more: t2, t3,")
    assert others.endswith("and 8 more")


def test_a_cancelled_task_needs_no_explanation() -> None:
    rows = task_rows(a={"state": TaskState.FAILED, "attempts": 1, "end": AttemptEnd(Outcome.CANCELLED)})
    assert failure_blocks(view(rows), Commands(), read_tail=printed) == []
