"""config.json: every key, every default, every wrong value."""

import os
from pathlib import Path
from typing import Any

import pytest

from mflow.core.model import Backoff, Config, Leftovers, OnSupervisorDeath, RetryPolicy
from mflow.files.config import absolute_sqlite, default_config, read_config
from mflow.files.reading import read_object
from mflow.files.report import Report

ORIGIN = Path(__file__).parent / "origin"


def read(raw: dict[str, Any], **environ: str) -> tuple[Config, list[str]]:
    report = Report("config.json")
    return read_config(raw, "/cwd", environ, report), [
        f"{'warning ' if one.warning else ''}{one}" for one in report.problems
    ]


def test_the_origins_sample() -> None:
    raw = read_object(str(ORIGIN / "config.json"), Report("config.json"))
    assert raw is not None
    config, problems = read(raw)
    assert problems == []
    assert (config.max_process_concurrency, config.check_new_config_interval) == (3, 1.0)
    assert config.log_directory == "/cwd/logs"


def test_everything_has_a_default() -> None:
    assert read({}) == (default_config("/cwd"), [])
    assert default_config("/cwd") == Config(
        max_process_concurrency=len(os.sched_getaffinity(0)), log_directory="/cwd/logs"
    )


def test_all_keys() -> None:
    config, problems = read(
        {
            "max_process_concurrency": "7",
            "check_new_config_interval": 0.5,
            "log_directory": "/var/log/mflow/",
            "env": [
                {"key": "A", "value": "$HOME/a"},
                {"key": "B", "value": "${A}/b"},
                {"key": "C", "value": 5},
            ],
            "database": "sqlite:///state.db",
            "kill_grace_seconds": 3,
            "retry": {
                "wait_seconds": 5,
                "backoff": "exponential",
                "on_exit_codes": [1, "75"],
                "on_errors": ["ora-60", "NOT_SUBMITTED", "sigkill"],
            },
            "retries": 2,
            "on_supervisor_death": "kill",
            "leftovers": "kill",
            "database_patience_seconds": 60,
        },
        HOME="/home/me",
    )
    assert problems == []
    assert config == Config(
        max_process_concurrency=7,
        check_new_config_interval=0.5,
        log_directory="/var/log/mflow",
        env=(("A", "/home/me/a"), ("B", "/home/me/a/b"), ("C", "5")),
        database="sqlite:////cwd/state.db",
        kill_grace_seconds=3,
        retry=RetryPolicy(
            attempts=3,
            wait_seconds=5,
            backoff=Backoff.EXPONENTIAL,
            on_exit_codes=(1, 75),
            on_errors=("ORA-00060", "NOT_SUBMITTED", "SIGKILL"),
        ),
        on_supervisor_death=OnSupervisorDeath.KILL,
        leftovers=Leftovers.KILL,
        database_patience_seconds=60,
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"max_process_concurrency": 0}, "max_process_concurrency: must be at least 1, not 0"),
        ({"max_process_concurrency": True}, "max_process_concurrency: must be a number, not true"),
        ({"max_process_concurrency": 2.5}, "max_process_concurrency: must be a whole number, not 2.5"),
        ({"max_process_concurrency": "many"}, 'max_process_concurrency: must be a whole number, not "many"'),
        (
            {"max_process_concurrency": 10**30},
            f"max_process_concurrency: must be at most 1000000, not {10**30}",
        ),
        ({"check_new_config_interval": 0}, "check_new_config_interval: must be more than 0, not 0"),
        ({"check_new_config_interval": "NaN"}, 'check_new_config_interval: must be a number, not "NaN"'),
        ({"kill_grace_seconds": -1}, "kill_grace_seconds: must be at least 0, not -1"),
        ({"kill_grace_seconds": 1e300}, "kill_grace_seconds: must be at most 1000000000, not 1e+300"),
        ({"log_directory": ""}, "log_directory: must not be empty"),
        ({"log_directory": 5}, "log_directory: must be text in quotes, not 5"),
        ({"env": "A=1"}, 'env: must be a list, not "A=1"'),
        ({"env": [{"key": "A"}]}, 'env[0]: the key "value" is missing'),
        ({"env": [{"key": "A=B", "value": "1"}]}, 'env[0].key: the name of a variable must not hold "="'),
        ({"env": [{"key": "A", "value": ["secret"]}]}, "env[0].value: must be text in quotes"),
        ({"env": {"A": ["secret"]}}, "env.A: must be text in quotes"),
        ({"database": "mflow.db"}, "database: must be a database URL such as sqlite:///mflow.db"),
        ({"retry": 3}, "retry: must be an object, not 3"),
        (
            {"retry": {"backoff": "exponental"}},
            'retry.backoff: must be "fixed" or "exponential", not "exponental" (did you mean "exponential"?)',
        ),
        ({"retry": {"attempts": 0}}, "retry.attempts: must be at least 1, not 0"),
        ({"retry": {"on_exit_codes": [0]}}, "retry.on_exit_codes[0]: must be at least 1, not 0"),
        ({"retry": {"on_errors": ["unknown"]}}, "retry.on_errors[0]: UNKNOWN is never tried again by itself"),
        (
            {"retry": {"on_errors": ["timeout"]}},
            'retry.on_errors[0]: no outcome, signal or code is called "timeout" (did you mean "TIMED_OUT"?)',
        ),
        (
            {"retries": 2, "retry": {"attempts": 3}},
            '"retries" and "retry.attempts" say the same thing: give one of them',
        ),
        ({"leftovers": "ask"}, 'leftovers: must be "keep" or "kill", not "ask"'),
        (
            {"on_supervisor_death": None, "max_process_concurency": 1},
            'max_process_concurency: unknown key (did you mean "max_process_concurrency"?)',
        ),
    ],
)
def test_what_is_wrong(raw: dict[str, Any], problem: str) -> None:
    config, problems = read(raw)
    assert problems == [f"config.json: {problem}"]
    if "unknown key" not in problem:
        assert config == default_config("/cwd")


def test_an_unknown_variable_is_a_warning() -> None:
    config, problems = read({"env": [{"key": "A", "value": "x$NOPE"}]})
    assert problems == ['warning config.json: env[0].value: no variable "NOPE": it is taken as empty']
    assert config.env == (("A", "x"),)


def test_a_password_in_the_database_url_is_not_shown() -> None:
    config, _ = read({"database": "oracle://u:hunter2@h/x"})
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///a.db", "sqlite:////cwd/a.db"),
        ("sqlite:///./x/../a.db?timeout=5", "sqlite:////cwd/a.db?timeout=5"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite:////cwd/a.db"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///file:a.db?uri=true", "sqlite:///file:a.db?uri=true"),
        ("oracle+oracledb://u@h/x", "oracle+oracledb://u@h/x"),
    ],
)
def test_a_sqlite_file_is_relative_to_the_current_folder(url: str, absolute: str) -> None:
    assert absolute_sqlite(url, "/cwd") == absolute


def test_relative_paths_in_a_file_of_another_folder_are_told() -> None:
    report = Report("/home/config.json")
    raw = {"log_directory": "logs", "database": "sqlite:///state/mflow.db?timeout=5"}
    config = read_config(raw, "/cwd", {}, report, elsewhere=True)
    assert (config.log_directory, config.database) == ("/cwd/logs", "sqlite:////cwd/state/mflow.db?timeout=5")
    said = (
        "is relative to the current folder, not to that of this file, so in another folder it is another place; "
        "what it is here, write as"
    )
    url = "sqlite:////cwd/state/mflow.db?timeout=5"
    assert [(one.place, one.text, one.warning) for one in report.problems] == [
        ("log_directory", f'"logs" {said} "/cwd/logs"', True),
        ("database", f'"sqlite:///state/mflow.db?timeout=5" {said} "{url}"', True),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"log_directory": "/var/logs", "database": "sqlite:////var/mflow.db"},
        {"database": "sqlite://"},
        {"database": "oracle+oracledb://u@h/s"},
    ],
)
def test_absolute_ones_and_none_are_not(raw: dict[str, Any]) -> None:
    report = Report("/home/config.json")
    read_config(raw, "/cwd", {}, report, elsewhere=True)
    assert report.problems == []
