"""tasks.json: what tasks become, and what is said about wrong ones."""

from typing import Any

import pytest

from mflow.core.model import Backoff, Config, RetryPolicy, Task
from mflow.files.report import Report
from mflow.files.taskfile import TasksRead, check_connections, read_tasks
from mflow.tasks.registry import task_types

CONFIG = Config(1, "/logs", env=(("SITE", "north"),), retry=RetryPolicy(wait_seconds=5, jitter=1))


def read(
    *tasks: Any, oneshot: str | None = None, config: Config = CONFIG, **top: Any
) -> tuple[TasksRead, list[str]]:
    report = Report("f")
    raw = {"tasks": list(tasks), **top}
    found = read_tasks(raw, task_types(), config, {"HOME": "/home/me"}, report, oneshot)
    return found, said(report)


def said(report: Report) -> list[str]:
    return [f"{'warning ' if one.warning else ''}{one.place}: {one.text}" for one in report.problems]


def bash(name: str, *depends: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "type": "bash", "command": "true", "depends": list(depends), **keys}


def one(**keys: Any) -> tuple[Task | None, list[str]]:
    found, problems = read(bash("a", **keys))
    return (found.tasks[0] if found.tasks else None), problems


class TestTasks:
    def test_in_the_order_of_the_file(self) -> None:
        found, problems = read(bash("b", "a"), bash("a"))
        assert problems == []
        policy = CONFIG.retry
        assert found.tasks == (
            Task("b", "bash", ("a",), policy, options={"command": "true"}),
            Task("a", "bash", (), policy, options={"command": "true"}),
        )
        assert found.tasks[0].depends[0] is found.tasks[1].id

    def test_the_origins_page_writes_db_with_a_capital(self) -> None:
        found, problems = read({"Id": "a", "Type": "oracle", "Db": "x", "Command": "begin null; end;"})
        assert problems == []
        assert found.tasks[0].options == {"db": "x", "command": "begin null; end;"}
        assert found.connections == (("tasks[0].db", "x"),)

    def test_an_empty_list_is_a_warning(self) -> None:
        assert read() == (TasksRead((), ()), ["warning tasks: is empty: there is nothing to run"])

    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            ({}, ': the key "tasks" is missing'),
            ({"tasks": None}, ': the key "tasks" is missing'),
            ({"tasks": {}}, "tasks: must be a list, not an object"),
        ],
    )
    def test_no_list(self, raw: dict[str, Any], problem: str) -> None:
        report = Report("f")
        assert read_tasks(raw, task_types(), CONFIG, {}, report).tasks == ()
        assert said(report) == [problem]

    def test_the_list_twice_in_other_case(self) -> None:
        assert read(bash("a"), Tasks=[])[1] == [
            'Tasks: the same key twice in one object (as "tasks", in other case)'
        ]

    def test_near_misses_at_the_top(self) -> None:
        report = Report("f")
        read_tasks({"task": [], "default": {}}, task_types(), CONFIG, {}, report)
        assert said(report) == [
            'task: unknown key (did you mean "tasks"?)',
            'default: unknown key (did you mean "defaults"?)',
            ': the key "tasks" is missing',
        ]


class TestWrongTasks:
    @pytest.mark.parametrize(
        ("entry", "problem"),
        [
            (5, "tasks[0]: must be an object, not 5"),
            ({"id": "a"}, 'tasks[0]: the key "type" is missing'),
            (
                {"id": "a", "type": "bsh"},
                'tasks[0].type: unknown task type "bsh" (did you mean "bash"?); known are bash, oracle, spark',
            ),
            ({"id": "a", "type": 5}, "tasks[0].type: unknown task type 5; known are bash, oracle, spark"),
            (
                {"id": "a", "type": "Bash"},
                'tasks[0].type: unknown task type "Bash" (did you mean "bash"?); known are bash, oracle, spark',
            ),
            ({"type": "bash", "command": "x"}, 'tasks[0]: the key "id" is missing'),
            (bash(""), "tasks[0].id: must not be empty"),
            (bash("a\nb"), "tasks[0].id: must not hold control characters"),
            (bash("a\x9b"), "tasks[0].id: must not hold control characters"),
            (bash("x" * 1001), "tasks[0].id: must not be longer than 1000 characters"),
            (bash("a") | {"id": 5}, "tasks[0].id: must be text in quotes, not 5"),
            (bash("a") | {"depends": "b"}, 'tasks[0].depends: must be a list, not "b"'),
            (bash("a") | {"depends": [7]}, "tasks[0].depends[0]: must be text in quotes, not 7"),
            (bash("a", timeout_seconds=0), "tasks[0].timeout_seconds: must be more than 0, not 0"),
            (bash("a", timeout_seconds="1h"), 'tasks[0].timeout_seconds: must be a number, not "1h"'),
            (
                bash("a", timeout_seconds=10**400),
                f"tasks[0].timeout_seconds: must be a number, not {'1' + '0' * 56}...",
            ),
            (bash("a", retries=-1), "tasks[0].retries: must be at least 0, not -1"),
            (bash("a", cwd=""), "tasks[0].cwd: must not be empty"),
        ],
    )
    def test_what_is_said(self, entry: Any, problem: str) -> None:
        found, problems = read(entry)
        assert (found.tasks, problems) == ((), [problem])

    def test_ids_may_be_anything_else(self) -> None:
        for name in ["a b/c", "ñandú", "\N{GRINNING FACE}", ".", "-x", "x" * 1000]:
            found, problems = read(bash(name))
            assert (found.tasks[0].id, problems) == (name, [])

    def test_the_graph_is_looked_at_though_a_task_is_wrong_elsewhere(self) -> None:
        _, problems = read(bash("extract", timeout_seconds=-1), bash("load", "extarct", "extract", cwd=5))
        assert problems == [
            "tasks[0].timeout_seconds: must be more than 0, not -1",
            "tasks[1].cwd: must be text in quotes, not 5",
            'tasks[1].depends[0]: no task "extarct" (did you mean "extract"?)',
        ]

    def test_names_cannot_disturb_a_terminal(self) -> None:
        assert read(bash("a", "\x1b[31mb\n\u202e"))[1] == [
            'tasks[0].depends[0]: no task "\\x1b[31mb\\n\\u202e"'
        ]

    def test_duplicates_cycles_and_self_dependencies(self) -> None:
        _, problems = read(
            bash("a", "b"), bash("b", "c"), bash("c", "a", "c"), bash("a"), bash("d", "a", "a")
        )
        assert problems == [
            "tasks[0].depends[0]: a cycle: a -> b -> c -> a",
            'tasks[2].depends[1]: "c" depends on itself',
            'tasks[3].id: the id "a" is already that of tasks[0]',
            'warning tasks[4].depends[1]: "a" is already named',
        ]


class TestRetry:
    def test_merged_key_by_key(self) -> None:
        found, problems = read(
            bash("a", retry={"wait_seconds": 9}),
            bash("b", retries=0),
            bash("c"),
            defaults={"retry": {"backoff": "exponential"}, "retries": 3},
        )
        assert problems == []
        default = RetryPolicy(attempts=4, wait_seconds=5, backoff=Backoff.EXPONENTIAL, jitter=1)
        assert [task.retry for task in found.tasks] == [
            RetryPolicy(attempts=4, wait_seconds=9, backoff=Backoff.EXPONENTIAL, jitter=1),
            RetryPolicy(attempts=1, wait_seconds=5, backoff=Backoff.EXPONENTIAL, jitter=1),
            default,
        ]

    def test_equal_policies_are_one_object(self) -> None:
        found, _ = read(bash("a", retries=2), bash("b", retry={"attempts": 3}))
        assert found.tasks[0].retry is found.tasks[1].retry

    def test_a_level_may_say_one_of_both_and_the_next_the_other(self) -> None:
        found, problems = read(bash("a", retries=1), defaults={"retry": {"attempts": 5}})
        assert (found.tasks[0].retry.attempts, problems) == (2, [])

    def test_both_at_once(self) -> None:
        assert one(retries=1, retry={"attempts": 2})[1] == [
            'tasks[0]: "retries" and "retry.attempts" say the same thing: give one of them'
        ]


class TestDefaults:
    def test_of_time_and_place(self) -> None:
        found, problems = read(
            bash("a"),
            bash("b", timeout_seconds="2.5", cwd="x"),
            defaults={"timeout_seconds": 60, "Cwd": "/w"},
        )
        assert problems == []
        assert [(task.timeout_seconds, task.cwd) for task in found.tasks] == [(60, "/w"), (2.5, "x")]

    def test_variables_come_before_the_tasks_own(self) -> None:
        found, problems = read(
            bash("a", env=[{"key": "P", "value": "$Q:$P"}]),
            bash("b"),
            defaults={"env": {"P": "$HOME/$SITE", "Q": 1}},
        )
        assert problems == []
        assert found.tasks[0].env == (("P", "$HOME/$SITE"), ("Q", "1"), ("P", "$Q:$P"))
        assert found.tasks[1].env == (("P", "$HOME/$SITE"), ("Q", "1"))

    def test_unknown_variables_are_warned_of_where_they_stand(self) -> None:
        _, problems = read(
            bash("a", env={"X": "$NO1"}), bash("b"), defaults={"env": [{"key": "Y", "value": "${NO2}"}]}
        )
        assert problems == [
            'warning defaults.env[0].value: no variable "NO2": it is taken as empty',
            'warning tasks[0].env[0].value: no variable "NO1": it is taken as empty',
        ]

    def test_wrong_ones_are_said_once(self) -> None:
        _, problems = read(bash("a"), bash("b"), defaults={"timeout_seconds": 0, "comand": "x", "cwdd": "x"})
        assert problems == [
            "warning defaults.comand: unknown key, ignored",
            'defaults.cwdd: unknown key (did you mean "cwd"?)',
            "defaults.timeout_seconds: must be more than 0, not 0",
        ]


class TestOneshot:
    def test_that_one_alone_without_its_dependencies(self) -> None:
        found, problems = read(bash("x", "nothing", cwd=5), bash("a", "gone", "x"), 7, oneshot="a")
        assert problems == []
        assert [(task.id, task.depends) for task in found.tasks] == [("a", ())]

    def test_it_is_validated(self) -> None:
        assert read(bash("x"), bash("a", cwd=5), oneshot="a")[1] == [
            "tasks[1].cwd: must be text in quotes, not 5"
        ]

    def test_no_such_task(self) -> None:
        assert read(bash("extract"), oneshot="extarct")[1] == [
            ': no task "extarct" (did you mean "extract"?)'
        ]

    def test_two_such_tasks(self) -> None:
        assert read(bash("a"), bash("a"), oneshot="a")[1] == [
            'tasks[1].id: the id "a" is already that of tasks[0]'
        ]


class TestConnections:
    READ = TasksRead((), (("tasks[3].db", "siper_fsco"),))

    @pytest.mark.parametrize(
        ("names", "problems"),
        [
            (["siper_fsco"], []),
            (
                ["mflow", "siper_fisco"],
                ['tasks[3].db: no connection "siper_fsco" in oracle.json (did you mean "siper_fisco"?)'],
            ),
            ([], ['tasks[3].db: no connection "siper_fsco": oracle.json is missing or has none']),
        ],
    )
    def test_names(self, names: list[str], problems: list[str]) -> None:
        report = Report("f")
        check_connections(self.READ, names, report)
        assert said(report) == problems
