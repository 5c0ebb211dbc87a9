"""Where the programs are, and the folder with the configuration that spark-submit will read."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def find_submit(
    submit: str | None, spark_home: str | None, environ: Mapping[str, str], cwd: str
) -> str | None:
    """The spark-submit to run: the task's own, else its spark-home's, SPARK_HOME's, the PATH's; None if missing."""
    if submit:
        return _executable(submit, environ, cwd)
    home = spark_home or environ.get("SPARK_HOME")
    if home:
        return _executable(f"{home}/bin/spark-submit", environ, cwd)
    return _executable("spark-submit", environ, cwd)


def conf_folder(
    submit: str | None, spark_home: str | None, environ: Mapping[str, str], cwd: str
) -> Path | None:
    """The folder of spark-defaults.conf and spark-env.sh; None where only spark-submit itself knows it.

    Without SPARK_HOME, spark-submit takes the folder above its own for it (bin/find-spark-home), unless it is pip's.
    """
    if named := environ.get("SPARK_CONF_DIR"):
        return Path(cwd, named)
    if home := spark_home or environ.get("SPARK_HOME"):
        return Path(cwd, home, "conf")
    program = find_submit(submit, spark_home, environ, cwd)
    if program is None or not is_sparks_own(program):
        return None
    folder = Path(program).parent
    return None if (folder / "find_spark_home.py").is_file() else folder.parent / "conf"


def is_sparks_own(submit: str) -> bool:
    """Whether it is Spark's script, and not a wrapper that may set variables before it calls that."""
    return Path(submit).with_name("spark-class").is_file()


def find_beside(submit: str, name: str) -> str | None:
    """Another program of the same Spark installation."""
    place = Path(submit).resolve().with_name(name)
    return str(place) if place.is_file() else None


def find_program(name: str, environ: Mapping[str, str], cwd: str, homes: Sequence[str] = ()) -> str | None:
    """A program in the bin folder of one of these home variables that is set, else in the PATH."""
    for variable in homes:
        home = environ.get(variable)
        found = _executable(f"{home}/bin/{name}", environ, cwd) if home else None
        if found:
            return found
    return _executable(name, environ, cwd)


def _executable(name: str, environ: Mapping[str, str], cwd: str) -> str | None:
    candidates: Iterable[str] = (name,)
    if "/" not in name:
        path = environ.get("PATH") or os.defpath
        candidates = (f"{folder or '.'}/{name}" for folder in path.split(os.pathsep))
    for candidate in candidates:
        place = Path(cwd, candidate)
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    return None
