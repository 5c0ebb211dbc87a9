"""How a run is resumed: its files read again, the run taken, its definition edited if that was asked for."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mflow.cli import edited
from mflow.cli.ancestry import require_as_called
from mflow.cli.boundary import tell, warn
from mflow.cli.database import Database
from mflow.cli.driving import drive, ignore_hangups, say_run, surroundings, task_environ
from mflow.cli.environment import differences, empty_in_tasks, require_variables, taken_now
from mflow.cli.exposure import exposure
from mflow.cli.folders import files_in, require_log_directory, require_run_folder
from mflow.cli.hints import Commands
from mflow.cli.inputs import announce, show_warnings
from mflow.cli.kept_files import (
    connections_needed,
    files_environment,
    kept_environment,
    kept_settings,
    may_have_changed,
    read_taskfile,
)
from mflow.cli.owning import own, require_free
from mflow.cli.preflight import require_storable
from mflow.cli.waiting import patient
from mflow.cli.wording import clean, moment
from mflow.core.contracts import Store
from mflow.core.edits import compare
from mflow.core.environment import KeptEnvironment, environment_to_json
from mflow.core.errors import InvalidInput
from mflow.core.model import Definition, RunRow
from mflow.core.secrets import definition_secrets, hides_secrets, with_secrets
from mflow.core.states import RunState

if TYPE_CHECKING:
    from mflow.files.load import Loaded, Settings


@dataclass(frozen=True, slots=True)
class _Files:
    """What a run goes on with."""

    kept: Definition
    edit: "Loaded | None"
    settings: "Settings"
    finished: frozenset[str]
    kept_environment: KeptEnvironment | None
    environment: KeptEnvironment  # with what the files take since
    environ: Mapping[str, str]  # as the files see it


@dataclass(frozen=True, slots=True)
class Resumption:
    """One run that is to go on."""

    store: Store
    run: RunRow
    database: Database
    commands: Commands
    called: bool = False  # by the task that had made it, or a further attempt of it

    def go_on(
        self, taskfile: str | None, config: str | None, datasources: str | None, *, takeover: bool
    ) -> None:
        """Take the run and drive it; returns only if there is nothing to do.

        Raises RunOwned, InvalidInput and UsageError before anything is changed.
        """
        if self.run.state is RunState.SUCCESS and taskfile is None:
            self._say_nothing_to_do()
            return
        if not takeover:
            require_free(self.run, self.commands)
        files = self._read(taskfile, config, datasources, takeover=takeover)
        kept, edit, settings = files.kept, files.edit, files.settings
        announce(self.database, edit.definition if edit else kept)
        show_warnings(edit.warnings if edit else settings.warnings)
        if self.run.state is RunState.SUCCESS and edit and not compare(kept, edit.definition, ()).added:
            self._say_nothing_to_do()
            return
        definition = kept if edit else self._with_secrets(files)
        self._tell_of_environment(files, definition)
        require_log_directory(settings.config.log_directory)
        for text in exposure(definition, settings.config, self.database, self.run.folder):
            tell(text)
        ignore_hangups()
        fence = own(self.store, self.run, self.commands, takeover=takeover)
        if edit:
            definition = self._edited(kept, edit, fence)
        if files.environment != files.kept_environment:
            text = environment_to_json(files.environment)
            patient(lambda: self.store.keep_environment(self.run.id, fence, text))
        self._drive(fence, definition, files)

    # ----------------------------------------------------------------------------------------------- what is read

    def _read(
        self, taskfile: str | None, config: str | None, datasources: str | None, *, takeover: bool
    ) -> "_Files":
        """Everything the run goes on with; nothing is changed yet. Raises UsageError if something is missing."""
        kept = patient(lambda: self.store.read_definition(self.run.id))
        before = kept_environment(self.store, self.run)
        environ = files_environment(before)
        finished = self._finished(kept)
        needed = set() if taskfile else connections_needed(kept, finished)
        settings = kept_settings(self.run, config, datasources, environ, needed)
        if not self.called:
            own = {name for name, _ in settings.config.env}
            require_as_called(self.store, self.run, before, own, self.commands, takeover=takeover)
        kept = replace(kept, config=settings.config_path, datasources=settings.datasources_path)
        edit = None
        if taskfile:
            edit = read_taskfile(str(Path.cwd() / taskfile), kept, settings, environ, finished)
            require_storable(edit.definition)
        definition = edit.definition if edit else kept
        secrets = settings.secrets | definition_secrets(definition, task_environ(environ, settings.config))
        now = taken_now(definition, settings, os.environ, self.run.uid, secrets, before)
        open_ = [task for task in definition.tasks if task.id not in finished]
        require_variables(now, open_, settings, definition.taskfile, os.environ)
        return _Files(kept, edit, settings, finished, before, now, now.for_files(os.environ))

    def _finished(self, kept: Definition) -> frozenset[str]:
        """The tasks that are SUCCESS, as far as it matters: what they would need is not needed any more."""
        if not any(task.env or len(task.options) > 1 for task in kept.tasks):
            return frozenset()
        unfinished = patient(lambda: self.store.read_unfinished(self.run.id))
        return frozenset(task.id for task in kept.tasks if task.id not in unfinished)

    def _tell_of_environment(self, files: "_Files", definition: Definition) -> None:
        """`definition`: with its literal secrets; without them it does not show what else stands beside one."""
        before = files.kept_environment
        if before is None:
            tell(
                f"run {self.run.id} was begun by an earlier mflow, which kept nothing of its environment: "
                "from here on its files take what is set now"
            )
            return
        settings, taskfile = files.settings, (files.edit.definition if files.edit else files.kept).taskfile
        if not files.edit:  # of an edited file its own warnings are shown
            tasks = [task for task in definition.tasks if task.id not in files.finished]
            for line in empty_in_tasks(files.environment, tasks, settings, taskfile, os.environ):
                warn(clean(line))
        resume = Commands((*self.commands.options, "--taskfile", taskfile)).of("resume", self.run.id)
        for line in differences(before, os.environ, self.run.uid, self.run.id, settings.config, resume):
            warn(line)

    # ------------------------------------------------------------------------------- the task file, then and now

    def _say_nothing_to_do(self) -> None:
        print(f"run {self.run.id}")
        tell(f"run {self.run.id} is SUCCESS: there is nothing to do")

    def _with_secrets(self, files: "_Files") -> Definition:
        """The kept definition with its literal secrets; what else the task file says now is said, not done."""
        kept = files.kept
        hidden = any(hides_secrets(task) for task in kept.tasks)
        if not hidden and not may_have_changed(kept, self.run):
            return kept
        now = self._taskfile_now(files)
        if now:
            comparison = compare(kept, now, ())
            if comparison.differs:
                if comparison.changed:
                    comparison = compare(kept, now, patient(lambda: self.store.read_tasks(self.run.id)))
                _tell_all(edited.unused_edit(comparison, kept.taskfile, self.run.id, self.commands))
        if not hidden:
            return kept
        rows = patient(lambda: self.store.read_tasks(self.run.id))
        return edited.with_its_secrets(kept, now.tasks if now else (), rows)

    def _taskfile_now(self, files: "_Files") -> Definition | None:
        kept = files.kept
        try:
            return read_taskfile(
                kept.taskfile, kept, files.settings, files.environ, files.finished
            ).definition
        except InvalidInput:
            warn(
                f"{kept.taskfile} cannot be used any more (mflow validate --taskfile {kept.taskfile} says why)"
            )
            tell(f"run {self.run.id} goes on with the tasks that it was started with")
            return None

    def _edited(self, kept: Definition, edit: "Loaded", fence: int) -> Definition:
        """Make the run follow the edited task file: what is to be run from here on."""
        rows = patient(lambda: self.store.read_tasks(self.run.id))
        comparison = compare(kept, edit.definition, rows)
        _tell_all(edited.used_edit(comparison, self.run.id))
        edit_kept = edited.to_be_kept(comparison.edit, files_in(self.run.folder) if comparison.added else ())
        patient(lambda: self.store.edit(self.run.id, fence, edit_kept))
        definition, _ = with_secrets(comparison.edit.definition, edit.definition.tasks)
        return definition

    # ---------------------------------------------------------------------------------------------- off it goes

    def _drive(self, fence: int, definition: Definition, files: "_Files") -> NoReturn:
        taken = patient(lambda: self.store.read_run(self.run.id))
        rows = patient(lambda: self.store.read_tasks(self.run.id))
        if not any(row.attempts for row in rows):
            taken = require_run_folder(self.store, taken, fence)
        self.store.close()
        if taken.cancelled_by:
            _tell_all(_order_kept(taken, self.commands))
        environ = task_environ(files.environ, files.settings.config)
        secrets = files.settings.secrets | definition_secrets(definition, environ)
        around = surroundings(self.database, self.commands, files.settings, secrets, files.environ)
        say_run(self.run.id, around)
        drive(taken, fence, definition, rows, around, resumed=True)


def _order_kept(run: RunRow, commands: Commands) -> Iterator[str]:
    """What is said of an order for the run's end that nobody has carried out yet."""
    at = f" at {moment(run.cancelled_at)}" if run.cancelled_at else ""
    yield f"{clean(run.cancelled_by or 'somebody')} asked for the end of run {run.id}{at}: carried out now"
    yield f"to go on with it after that, type once more: {commands.of('resume', run.id)}"


def _tell_all(lines: Iterable[str]) -> None:
    for line in lines:
        tell(line)
