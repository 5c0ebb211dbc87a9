"""Passwords that mflow is given come to nobody else: not to the database, the logs of mflow, nor the page of a run."""

import grp
import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

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


def status(project: Project) -> str:
    done = project.mflow("status", "1", "--database", "sqlite:///mflow.db")
    assert done.code == 0, done
    return done.out


@pytest.mark.parametrize("config", ["{", '{"env": {"OTHER": "x"}}'])
def test_status_is_shown_also_if_the_files_are_gone_or_broken(project: Project, config: str) -> None:
    project.file("config.json", {"env": {"TOKEN": "t0ken-1"}}).tasks(a="echo boom $TOKEN; exit 3").mflow(
        "run"
    )
    assert "| boom ***" in status(project)
    project.file("config.json", config).file("tasks.json", "")
    shown = status(project)
    assert "a FAILED: exit code 3\n  its last lines are not shown: they may hold " in shown
    assert f"{project.folder}/config.json, which" in shown
    assert "; mflow logs 1 a --database sqlite:///mflow.db prints them as they are\n" in shown
    assert "boom" not in shown


def test_without_secrets_the_end_of_a_log_is_shown_whatever_becomes_of_the_files(project: Project) -> None:
    project.file("config.json", {"env": {"A": "${B}"}}).tasks(a="echo boom; exit 3").mflow("run")
    (project.folder / "config.json").unlink()
    (project.folder / "tasks.json").unlink()
    assert "| boom" in status(project)


@pytest.mark.parametrize("where", ["config.json", "tasks.json"])
def test_the_end_of_a_log_is_not_shown_where_a_secret_of_the_run_is_not_set(
    project: Project, where: str
) -> None:
    env = {"DB_PASSWORD": "${PW}", "URL": "postgres://u:${PW2}@h/d"}
    task = {"command": 'echo "boom $DB_PASSWORD $URL"; false', "env": env if where == "tasks.json" else {}}
    project.file("config.json", {"env": env if where == "config.json" else {}}).tasks(a=task)
    project.env |= {"PW": "hush1234", "PW2": "hush5678"}
    assert "boom *** postgres://u:***@h/d" in project.mflow("run").err
    for gone in ("", "config.json", "tasks.json"):
        if gone:
            (project.folder / gone).unlink()
        project.env |= {"PW": "hush1234", "PW2": "hush5678"}
        assert "| boom *** postgres://u:***@h/d" in status(project), gone
        del project.env["PW"]
        assert "not shown: they may hold PW, which is not set here;" in status(project)
        project.env["PW2"] = ""
        shown = status(project)
        assert "not shown: they may hold PW and PW2, which are not set here;" in shown
        assert "boom" not in shown


@pytest.mark.parametrize("edited", [None, {"DSN": "x", "KEY": "k3y-9999"}, {"DSN": DSN}, {}])
def test_the_end_of_a_log_is_not_shown_where_the_task_file_has_lost_a_secret(
    project: Project, edited: dict[str, str] | None
) -> None:
    secrets = {"DSN": DSN, "KEY": "k3y-9999", "A": "1"}
    project.tasks(a={"command": "echo $DSN; exit 3", "env": secrets}, b="echo fine; exit 4").mflow("run")
    assert "| postgres://u:***@h/d" in status(project)
    if edited is None:
        (project.folder / "tasks.json").unlink()
    else:
        project.tasks(a={"command": "echo $DSN; exit 3", "env": edited})
    shown = status(project)
    assert f"they may hold secrets of this task that {project.folder}/tasks.json no longer has;" in shown
    assert "hunter22" not in shown
    assert "| fine" in shown  # of a task that never had any


def test_a_password_of_a_connection_is_nothing_that_a_bash_task_could_print(project: Project) -> None:
    connection = {"name": "x", "connection_string": "h/x", "user": "u", "password": "orapass1"}
    project.file("oracle.json", {"connections": [connection]}).tasks(a="echo boom; exit 3").mflow("run")
    (project.folder / "oracle.json").unlink()
    assert "| boom" in status(project)


def test_a_cancel_shows_no_more_than_status_does(project: Project) -> None:
    project.env["PW"] = "hush1234"
    env = {"PASSWORD": "${PW}", "DSN": DSN}
    project.tasks(a={"command": "echo boom $PASSWORD $DSN; exit 3", "env": env}, b="touch b; sleep 60")
    running = project.start("run")
    wait_for(running, project.folder / "b")
    while "FAILED" not in project.mflow("status").out:
        assert running.poll() is None
    running.kill()
    running.communicate()
    del project.env["PW"]
    done = project.mflow("cancel", "1")
    assert done.code == 0, done
    assert "not shown: they may hold PW, which is not set here; mflow logs 1 a " in done.err
    assert "boom" not in done.err


def test_a_secret_put_together_from_variables_is_masked_whole(project: Project) -> None:
    project.env["PW"] = "hush1234"
    project.tasks(a={"command": "echo $TOKEN; exit 3", "env": {"A": "front", "TOKEN": "$A-${PW}-end"}})
    assert "| ***\n" in project.mflow("run").err
    assert "| ***\n" in status(project)


class TestExposure:
    @pytest.fixture
    def open_project(self) -> Iterator[Project]:
        """Not in the folders of pytest, which are closed to others."""
        with TemporaryDirectory() as name:
            folder = Path(name).resolve()
            folder.chmod(0o755)
            if not all(one.stat().st_mode & 0o001 for one in folder.parents):
                pytest.skip("the folder for temporary files is closed to others")
            yield Project(folder).tasks(a={"command": "true", "env": {"A": "1"}})

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

    def test_behind_a_closed_folder_nothing_is_open(self, open_project: Project) -> None:
        open_project.folder.chmod(0o700)
        assert "everybody" not in open_project.mflow("run").err + open_project.mflow("validate").err
        open_project.folder.chmod(0o711)
        assert "everybody" in open_project.mflow("validate").err

    def test_a_group_is_named_that_may_change_it(self, open_project: Project) -> None:
        os.umask(0o027)
        open_project.mflow("run")
        database, own = open_project.folder / "mflow.db", grp.getgrgid(os.getegid()).gr_name
        database.chmod(0o660)
        if own == pwd.getpwuid(os.geteuid()).pw_name and not grp.getgrnam(own).gr_mem:
            assert "group" not in open_project.mflow("validate").err  # nobody else is in it
        others = [one for one in grp.getgrall() if one.gr_gid in os.getgroups() or not os.geteuid()]
        other = next((one for one in others if one.gr_gid != os.getegid()), None)
        if other is None:
            pytest.skip("this user is in one group only")
        os.chown(database, -1, other.gr_gid)
        said = f'by their modes the group {other.gr_name} can change {database}, which hold values of "env": chmod g-w '
        assert said in open_project.mflow("validate").err
        database.chmod(0o640)
        assert '"env"' not in open_project.mflow("validate").err  # to read is what it is a group for

    def test_without_env_there_is_nothing_to_say(self, open_project: Project) -> None:
        assert '"env"' not in open_project.tasks(a="true").mflow("run").err

    def test_under_a_strict_umask_there_is_nothing_to_say(self, open_project: Project) -> None:
        os.umask(0o027)
        assert '"env"' not in open_project.mflow("validate").err
        assert '"env"' not in open_project.mflow("run").err
