"""From a run that is ours to its end: what run, resume and cancel have in common."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from mflow.cli.boundary import guarded
from mflow.cli.database import Database
from mflow.cli.hints import Commands
from mflow.cli.reporting.outlet import Outlet
from mflow.core.environment import INHERITED_VARIABLE, inheritance
from mflow.core.errors import StoreError
from mflow.core.model import Config, Definition, Owner, RunRow, TaskRow
from mflow.core.secrets import mask, url_for_tasks
from mflow.core.view import RunView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mflow.cli.hiding import Hiding
    from mflow.engine.assignment import Assignment, Reporter, Verdict
    from mflow.files.load import Settings

LAST_WORDS_SECONDS = 10.0
"""How long the last lines wait for a reader that has stopped reading."""

_STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a supervisor needs beside the run itself."""

    database: Database
    commands: Commands
    settings: "Settings"
    secrets: frozenset[str] = field(repr=False)
    stdout: Outlet
    stderr: Outlet
    environ: Mapping[str, str] = field(repr=False)
    """What the files of the run see."""

    def hide(self, text: str) -> str:
        """The text without the secrets that the files hold."""
        return mask(text, self.secrets) if self.secrets else text


def new_owner() -> Owner:
    """This process, as the owner of a run."""
    from mflow.engine.identity import own_identity

    return Owner(own_identity(), user_name(), datetime.now(UTC))


def user_name() -> str:
    """Who runs this process; a number where the system knows no name."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def surroundings(
    database: Database,
    commands: Commands,
    settings: "Settings",
    secrets: frozenset[str],
    environ: Mapping[str, str],
) -> Surroundings:
    """These, with stdout and stderr for the time of a run, in the encodings that Python has found for them."""
    stdout, stderr = Outlet(1, sys.stdout.encoding), Outlet(2, sys.stderr.encoding)
    _empty_standard_streams()
    return Surroundings(database, commands, settings, secrets, stdout, stderr, environ)


def _empty_standard_streams() -> None:
    """What cannot be written (a full disk, a reader that has gone) is dropped.

    multiprocessing flushes both streams whenever it starts a process: what is stuck there would stop it each time.
    """
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for good


def ignore_hangups() -> None:
    """From here on neither a hang-up nor `stty tostop` stops this process, nor a `cancel` that wakes it too early.

    (Workers come from a server without it.)
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(
        signal.SIGUSR1, signal.SIG_IGN
    )  # until the supervisor listens: it looks at its row by itself then
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def say_run(run_id: int, around: Surroundings) -> None:
    """The first line of stdout. Whoever has read it may stop the run: TERM and INT wait for the supervisor then."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    around.stdout.write(f"run {run_id}\n")


def drive(
    run: RunRow,
    fence: int,
    definition: Definition,
    rows: "Sequence[TaskRow]",
    around: Surroundings,
    *,
    resumed: bool,
    cancelling: bool = False,
) -> NoReturn:
    """Drive the run to its end and leave this process with the exit code of the contract.

    `cancelling`: a cancelled run is what was asked for.
    """
    from mflow.cli.inputs import config_reader, connection_finder, env_expander
    from mflow.engine.assignment import Assignment
    from mflow.engine.supervisor import leave
    from mflow.tasks.registry import RUNNERS

    settings = around.settings
    environ = task_environ(os.environ, settings.config)
    environ[INHERITED_VARIABLE] = inheritance(os.environ, run.uid)
    assignment = Assignment(
        run=run,
        fence=fence,
        definition=definition,
        rows=rows,
        config=settings.config,
        reload_config=config_reader(settings.config_path, run.cwd, around.environ),
        environ=environ,
        runners=RUNNERS,
        private=connection_finder(settings.datasources),
        task_env=env_expander(task_environ(around.environ, settings.config), environ),
        resumed=resumed,
    )
    # Exit handlers would wait for the workers or end them: nothing may get past `leave`.
    go_on = around.commands.of("resume", run.id)
    leave(guarded(lambda: _driven(assignment, around, cancelling), go_on=go_on))


def _driven(assignment: "Assignment", around: Surroundings, cancelling: bool) -> int:
    from mflow.engine.assignment import Ending
    from mflow.engine.supervisor import supervise

    began = time.monotonic()
    verdict = supervise(assignment, around.database.open_quietly, _reporter(around))
    if verdict.ending in (Ending.SUCCESS, Ending.FAILED, Ending.CANCELLED):
        _end_children(assignment.run.id, around)
    _last_words(verdict, assignment, around, time.monotonic() - began, cancelling)
    return 0 if cancelling and verdict.ending is Ending.CANCELLED else verdict.exit_code


def _end_children(run_id: int, around: Surroundings) -> None:
    from mflow.cli.children import end_children

    try:
        store = around.database.open_quietly()
        try:
            end_children(store, store.read_run(run_id), around.commands)
        finally:
            store.close()
    except StoreError:
        pass  # they show as interrupted, which they are


def task_environ(environ: Mapping[str, str], config: Config) -> dict[str, str]:
    """What every task starts from. The password of the state database is none of a task's business."""
    own = dict(environ)
    if "MFLOW_DATABASE" in own:
        own["MFLOW_DATABASE"] = url_for_tasks(own["MFLOW_DATABASE"])
    return own | dict(config.env)


def _reporter(around: Surroundings) -> "Reporter":
    from mflow.cli.screen import is_terminal

    if is_terminal():
        from mflow.cli.reporting.live import LiveReporter

        return LiveReporter(around.stdout, around.stderr, around.hide)
    from mflow.cli.reporting.lines import LineReporter

    return LineReporter(around.stdout, around.stderr, around.hide)


def _last_words(
    verdict: "Verdict", assignment: "Assignment", around: Surroundings, seconds: float, cancelling: bool
) -> None:
    """How it ended. Who cancels has not needed the run's secrets, and may lack some."""
    from mflow.cli.failure import nothing
    from mflow.cli.reporting.closing import closing_lines, lost_lines, success_line
    from mflow.engine.assignment import Ending

    run_id = assignment.run.id
    if verdict.ending is Ending.SUCCESS:
        lines = [success_line(run_id, len(assignment.definition.tasks), seconds)]
    elif verdict.ending in (Ending.SUPERSEDED, Ending.DATABASE_LOST):
        lines = list(lost_lines(verdict, run_id, around.commands))
    else:
        try:
            view, hiding = _final_view(run_id, around, cancelling)
            hide, withhold = (hiding.hide, hiding.withhold) if hiding else (around.hide, nothing)
            lines = list(closing_lines(verdict, view, around.commands, seconds, hide=hide, withhold=withhold))
        except StoreError:
            lines = list(lost_lines(verdict, run_id, around.commands))
    around.stderr.write("\n".join(lines) + "\n")
    around.stderr.flush(LAST_WORDS_SECONDS)


def _final_view(run_id: int, around: Surroundings, cancelling: bool) -> "tuple[RunView, Hiding | None]":
    from mflow.cli.hiding import hiding_of
    from mflow.cli.reading import read_view
    from mflow.cli.status_page import MOST_ROWS

    store = around.database.open_quietly()
    try:
        view = read_view(store, run_id, most_tasks=MOST_ROWS)
        return view, hiding_of(store, view) if cancelling else None
    finally:
        store.close()
