"""`mflow validate`: everything that is wrong with the files, and nothing started."""

import os
from typing import Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, TaskfileOption


def validate(
    strict: Annotated[bool, typer.Option("--strict", help="Take unknown keys for errors.")] = False,
    as_run: Annotated[
        bool,
        typer.Option(
            "--as-run", help="Say what `mflow run` would say here and now; nothing is made or started."
        ),
    ] = False,
    taskfile: TaskfileOption = None,
    config: ConfigOption = None,
    datasources: DatasourcesOption = None,
    database: DatabaseOption = None,
) -> None:
    """Check the files of a run, and say all that is wrong with them."""
    from mflow.cli.boundary import tell, warn
    from mflow.cli.database import choose_database
    from mflow.cli.exposure import exposure
    from mflow.cli.folders import require_log_directory
    from mflow.cli.inputs import load_files, show_warnings
    from mflow.cli.preflight import lacking, require_means, require_storable
    from mflow.cli.wording import clean, plural

    if as_run:
        require_means()
    loaded = load_files(taskfile=taskfile, config=config, datasources=datasources, strict=strict)
    chosen = choose_database(database, os.environ, loaded.datasources, loaded.settings.database)
    warnings = [*loaded.warnings, *lacking(loaded, as_run=as_run)]
    show_warnings(warnings)
    if as_run:
        require_storable(loaded.definition, loaded.config.log_directory, chosen.file or "")
        require_log_directory(loaded.config.log_directory, make=False)
        chosen.require_usable()
    else:
        tell(
            "not looked at: the state database and the log directory; what this machine lacks is a warning only "
            "(all that would stop `mflow run` here and now: mflow validate --as-run)"
        )
    exposed = list(exposure(loaded.definition, loaded.config, chosen))
    for text in exposed:
        warn(text)
    count = len(warnings) + len(exposed)
    found = f", {plural(count, 'warning')}" if count else ""
    print(f"ok: {plural(len(loaded.definition.tasks), 'task')}{found}")
    used = (
        ("task file", loaded.definition.taskfile),
        ("config", loaded.definition.config or "none: every value is its default"),
        ("datasources", loaded.definition.datasources or "none"),
        ("state database", f"{chosen.shown} ({chosen.source})"),
    )
    for name, what in used:
        print(f"  {name:14}  {clean(what)}")
