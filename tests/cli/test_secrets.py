"""Passwords that mflow is given come to nobody else: not to the database, the logs of mflow, nor the page of a run."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.project import Project, wait_for

DSN = "postgres://u:hunter22@h/d"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def everything_written(folder: Path) -> bytes:
    """Of mflow: its database and the master log, but not what tasks print."""
    files = [*folder.glob("mflow.db*"), folder / "logs" / "mflow.log"]
    return b"".join(file.read_bytes() for file in files)


def test_a_password_in_a_url_is_kept_nowhere_and_comes_back_at_a_resume(project: Project) -> None:
    project.tasks(
        a={
            "command": 'test -e again || { touch tried; while :; do sleep 0.1; done; }; echo "$DSN" > seen',
            "env": {"DSN": DSN, "JDBC": "jdbc:oracle:thin:u/hunter22@//h/x"},
        },
    )
    running = project.start("run")
    wait_for(running, project.folder / "tried")
    running.send_signal(signal.SIGTERM)
    running.communicate()
    store = project.store()
    assert ("DSN", "postgres://u:***@h/d") in store.read_definition(1).tasks[0].env
    store.close()
    assert b"hunter22" not in everything_written(project.folder)
    (project.folder / "again").touch()
    done = project.mflow("resume", "1")
    assert done.code == 0, done
    assert "differs" not in done.err
    assert (project.folder / "seen").read_text() == f"{DSN}\n"


def test_a_resume_without_the_password_says_what_is_missing(project: Project) -> None:
    project.tasks(a={"command": "exit 3", "env": {"DSN": DSN}}).mflow("run")
    (project.folder / "tasks.json").unlink()
    done = project.mflow("resume", "1")
    assert (done.code, done.out) == (2, "")
    assert "no longer has those of: a" in done.err


@pytest.mark.parametrize("word", ["run", "status"])
def test_the_end_of_a_log_is_shown_without_secrets(project: Project, word: str) -> None:
    project.env |= {"PW": "passw0rd", "FROM_OUTSIDE": "t0ken-9"}
    (project.folder / "pw").write_text("filepass\n")
    project.file("config.json", {"env": [{"key": "API_TOKEN", "value": "t0ken-1"}]})
    connection = {"name": "x", "connection_string": "h/x", "user": "u", "password_file": "pw"}
    project.file("oracle.json", {"connections": [connection]})
    command = (
        'echo "dsn $DSN ref $REF t $API_TOKEN o $OUTSIDE f filepass cmd http://u:cmdpass@h/";'
        ' echo "$KEY"; exit 3'
    )
    env = {
        "DSN": DSN,
        "REF": "pg://u:$PW@h/",
        "KEY": KEY,
        "OUTSIDE_TOKEN": "${FROM_OUTSIDE}",
        "OUTSIDE": "t0ken-9",
    }
    project.tasks(a={"command": command, "env": env})
    done = project.mflow("run")
    shown = done.err if word == "run" else project.mflow("status").out
    assert "| dsn postgres://u:***@h/d ref pg://u:***@h/ t *** o *** f *** cmd http://u:***@h/" in shown
    for secret in (
        "hunter22",
        "passw0rd",
        "t0ken",
        "filepass",
        "cmdpass",
        "MIIEvQ",
        "kiG9w0",
        "BEGIN PRIVATE",
    ):
        assert secret not in shown
    assert "hunter22" in project.mflow("logs", "1", "a").out  # what the task printed, as it printed it


def test_status_is_shown_also_if_the_files_are_gone_or_broken(project: Project) -> None:
    project.file("config.json", {"env": {"TOKEN": "t0ken-1"}}).tasks(a="echo boom; exit 3").mflow("run")
    project.file("config.json", "{").file("tasks.json", "")
    done = project.mflow("status", "--database", "sqlite:///mflow.db")
    assert done.code == 0
    assert "| boom" in done.out


class TestExposure:
    @pytest.fixture
    def open_project(self, project: Project) -> Project:
        project.folder.chmod(0o755)
        return project.tasks(a={"command": "true", "env": {"A": "1"}})

    @pytest.fixture(autouse=True)
    def _umask(self) -> "object":
        before = os.umask(0o022)
        yield
        os.umask(before)

    def test_it_is_said_once_with_the_cure(self, open_project: Project) -> None:
        folder = open_project.folder
        before = open_project.mflow("validate")
        assert (before.code, before.err.count('hold values of "env"')) == (0, 1)
        assert "umask 027 before mflow makes" in before.err
        done = open_project.mflow("run")
        assert done.code == 0
        (line,) = [line for line in done.err.splitlines() if "chmod o-rwx" in line]
        assert line.startswith(
            f"mflow: by their modes everybody on this machine can read {folder}/mflow.db and {folder}/logs, "
            'which hold values of "env": chmod o-rwx '
        )
        os.system(line.partition('"env": ')[2])
        assert 'values of "env"' not in open_project.mflow("run").err + open_project.mflow("validate").err
        assert (folder / "logs" / "run-1").stat().st_mode & 0o777 == 0o755  # nothing but what was asked for

    def test_a_resume_says_it_too(self, open_project: Project) -> None:
        open_project.tasks(a={"command": "exit 3", "env": {"A": "1"}}).mflow("run")
        assert open_project.mflow("resume", "1").err.count('hold values of "env"') == 1

    def test_what_others_may_change_is_said(self, open_project: Project) -> None:
        open_project.mflow("run")
        (open_project.folder / "mflow.db").chmod(0o666)
        assert "can read and change" in open_project.mflow("validate").err

    def test_without_env_there_is_nothing_to_say(self, open_project: Project) -> None:
        assert '"env"' not in open_project.tasks(a="true").mflow("run").err

    def test_under_a_strict_umask_there_is_nothing_to_say(self, open_project: Project) -> None:
        os.umask(0o027)
        assert '"env"' not in open_project.mflow("validate").err
        assert '"env"' not in open_project.mflow("run").err
