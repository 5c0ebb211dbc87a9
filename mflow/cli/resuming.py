"""How a run is resumed: its files read again, the run taken, the definition edited if that was asked for."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from mflow.cli.database import Database
from mflow.cli.driving import drive, ignore_hangups, surroundings
from mflow.cli.folders import require_log_directory
from mflow.cli.hints import Commands
from mflow.cli.inputs import announce, show_warnings
from mflow.cli.kept_files import kept_settings
from mflow.cli.owning import own, require_free
from mflow.core.contracts import Store
from mflow.core.model import Definition, RunRow
from mflow.core.secrets import definition_secrets, hides_secrets
from mflow.store.patience import patient

if TYPE_CHECKING:
    from mflow.files.load import Settings


@dataclass(frozen=True, slots=True)
class Resumption:
    """One run that is to go on."""

    store: Store
    run: RunRow
    database: Database
    commands: Commands

    def go_on(
        self, taskfile: str | None, config: str | None, datasources: str | None, *, takeover: bool
    ) -> NoReturn:
        """Take the run and drive it. Raises RunOwned, Superseded, InvalidInput before anything is changed."""
        if not takeover:
            require_free(self.run, self.commands)
        settings = kept_settings(self.run, config, datasources)
        definition = self._definition(settings)
        announce(self.database, definition)
        show_warnings(settings.warnings)
        require_log_directory(settings.config.log_directory)
        ignore_hangups()
        fence = own(self.store, self.run, takeover=takeover)
        taken = patient(lambda: self.store.read_run(self.run.id))
        rows = patient(lambda: self.store.read_tasks(self.run.id))
        self.store.close()
        secrets = settings.secrets | definition_secrets(definition)
        around = surroundings(self.database, self.commands, settings, secrets)
        around.stdout.write(f"run {self.run.id}\n")
        drive(taken, fence, definition, rows, around, resumed=True)

    def _definition(self, settings: "Settings") -> Definition:
        """What the run executes, with the files it uses now; its literal secrets stand in the task file only."""
        kept = patient(lambda: self.store.read_definition(self.run.id))
        kept = replace(kept, config=settings.config_path, datasources=settings.datasources_path)
        if not any(hides_secrets(task) for task in kept.tasks):
            return kept
        return kept
