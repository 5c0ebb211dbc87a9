"""Ending a run that nobody drives: its tasks may still run, and somebody must end them and say so."""

from typing import NoReturn

from mflow.cli.boundary import tell
from mflow.cli.database import Database
from mflow.cli.driving import drive, ignore_hangups, surroundings
from mflow.cli.end_order import is_driven, requester
from mflow.cli.hints import Commands
from mflow.cli.kept_files import files_environment, kept_environment, settings_to_cancel
from mflow.cli.owning import own
from mflow.cli.waiting import patient
from mflow.core.contracts import Store
from mflow.core.model import RunRow


def cancel_ourselves(store: Store, run: RunRow, database: Database, commands: Commands) -> NoReturn:
    """Take the run, end what is left of its tasks, finish it. Leaves this process.

    A supervisor that still drives it is ended first. Raises Overtaken if somebody else has taken the run meanwhile.
    """
    from mflow.engine.supervisor import prestart

    prestart()
    takeover = is_driven(run)
    tell(f"{_who(run) if takeover else 'nobody'} drives run {run.id}: ending what is left of it from here")
    ignore_hangups()
    fence = own(store, run, commands, takeover=takeover)
    patient(lambda: store.request_cancel(run.id, requester()))  # if the order could not be recorded before
    definition = patient(lambda: store.read_definition(run.id))
    taken = patient(lambda: store.read_run(run.id))
    rows = patient(lambda: store.read_tasks(run.id))
    environ = files_environment(kept_environment(store, run))
    store.close()
    settings = settings_to_cancel(run, environ)
    around = surroundings(database, commands, settings, settings.secrets, environ)
    drive(taken, fence, definition, rows, around, resumed=True, cancelling=True)


def _who(run: RunRow) -> str:
    assert run.owner is not None
    return f"supervisor {run.owner.identity.pid}, which does nothing and is ended now,"
