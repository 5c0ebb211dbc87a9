"""What can be told about a spark task before anything runs: what is missing here, and what Spark refuses.

Spark's refusals are those of org.apache.spark.deploy.SparkSubmit and SparkSubmitArguments (2.4 to 4.1), which says
them only once a JVM has started, in the middle of a run.
"""

import glob
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mflow.tasks.spark.application import Application, Manager, read_application
from mflow.tasks.spark.programs import conf_folder, find_program, find_submit, is_sparks_own

NO_SUBMIT = (
    "spark-submit was not found (looked for by submit, spark-home, SPARK_HOME, PATH, the first that is set)"
)
_MASTERS = ("local", "spark://", "yarn", "k8s://", "mesos://")
_LISTS = ("jars", "py-files", "files", "archives")


def preflight(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: str,
    *,
    here: bool = True,
    after: bool = False,
) -> list[str]:
    """The problems of one task, each a line for a person, beginning with the key it is about where there is one.

    `options`: the task's keys; `environ`: what its processes will get, config.json's and the task's `env` applied;
    `cwd`: absolute, where they will start. With `here` false only what is wrong on any host: nothing is looked for.
    With `after` no file of the application is: a task before this one may make it. Nothing is started and nothing of
    the network is asked.
    """
    try:
        application = read_application(options, environ, cwd)
    except OSError as error:
        return (
            [f"properties-file: cannot be read: {error.strerror}: {error.filename}"]
            if here and not after
            else []
        )
    except (KeyError, TypeError, ValueError) as error:
        return [str(error) if isinstance(error, ValueError) else f"cannot be understood: {error!r}"]
    if not here:
        return refusals(application)
    return [
        *refusals(application),
        *_programs(application, environ, cwd),
        *_hadoop(application, environ, cwd),
        *(() if after else unusable_files(application, cwd)),
    ]


def unusable_files(application: Application, cwd: str) -> list[str]:
    """What is wrong with the files of the application that Spark will read on this host."""
    return [*_missing_files(application, cwd), *_main_class(application, cwd)]


def refusals(application: Application) -> list[str]:
    """The combinations of keys that Spark, or mflow, does not take."""
    return [text for is_so, text in _REFUSALS if is_so(application)]


_REFUSALS: tuple[tuple[Callable[[Application], bool], str], ...] = (
    (
        lambda a: not a.master.startswith(_MASTERS),
        "master: must be local, local[N], spark://HOST:PORT, yarn or k8s://HOST:PORT",
    ),
    (lambda a: a.deploy_mode not in ("client", "cluster"), "deploy-mode: must be client or cluster"),
    (lambda a: not a.file, "ingestor-file: is missing"),
    (
        lambda a: a.file.startswith("-"),
        "ingestor-file: begins with -, so spark-submit would take it for an option",
    ),
    (
        lambda a: a.manager is Manager.LOCAL and a.in_cluster,
        "deploy-mode: a local master runs the driver in spark-submit itself: client is the only way",
    ),
    (
        lambda a: a.manager is Manager.STANDALONE and a.in_cluster and not a.is_jar,
        "deploy-mode: a standalone master takes no Python or R application in cluster mode: use client",
    ),
    (
        lambda a: a.manager is Manager.OTHER and a.in_cluster,
        "deploy-mode: of this kind of master mflow cannot ask how a driver in the cluster ended: use client",
    ),
    (
        lambda a: a.manager is Manager.STANDALONE and a.in_cluster and a.supervise and _waits_not(a),
        "supervise: starts the driver until it ends well: spark.standalone.submit.waitAppCompletion=false hides it",
    ),
    (
        lambda a: ("principal" in a.options) != ("keytab" in a.options),
        "principal: goes with keytab, and keytab with principal",
    ),
    (
        lambda a: "principal" in a.options and "proxy-user" in a.options,
        "proxy-user: Spark takes either this or principal",
    ),
    (lambda a: any("=" in key for key, _ in a.confs), 'confs: a key must not hold "="'),
    (lambda a: any("\0" in text for text in _texts(a)), "holds a NUL byte, which no command line can"),
)


def _waits_not(application: Application) -> bool:
    return application.settings.get("spark.standalone.submit.waitAppCompletion") == "false"


def _texts(application: Application) -> tuple[str, ...]:
    confs = tuple(text for pair in application.confs for text in pair)
    return (application.file, *application.options.values(), *application.parameters, *confs)


def _programs(application: Application, environ: Mapping[str, str], cwd: str) -> list[str]:
    submit = find_submit(application.submit, application.spark_home, environ, cwd)
    problems = [] if submit else [NO_SUBMIT]
    java_home = environ.get("JAVA_HOME")
    if "JAVA_HOME" in (_env_script(application, environ, cwd) or ""):
        return problems
    if find_program("java", environ, cwd, ("JAVA_HOME",) if java_home else ()) is None:
        problems.append(f"java was not found (JAVA_HOME is {java_home or 'not set'}, and the PATH has none)")
    elif java_home and not os.access(Path(cwd, java_home, "bin", "java"), os.X_OK):
        problems.append(f"JAVA_HOME is {java_home}, but there is no bin/java in it")
    return problems


def _env_script(application: Application, environ: Mapping[str, str], cwd: str) -> str | None:
    """The text of spark-env.sh, which spark-submit runs before it looks at any variable; None without one."""
    folder = conf_folder(application.submit, application.spark_home, environ, cwd)
    try:
        return (folder / "spark-env.sh").read_text("utf-8", "replace") if folder else None
    except OSError:
        return None


def _hadoop(application: Application, environ: Mapping[str, str], cwd: str) -> list[str]:
    """Only where nobody else can have a say: neither spark-env.sh nor a wrapper around spark-submit."""
    known = environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR")
    if application.manager is not Manager.YARN or known:
        return []
    submit = find_submit(application.submit, application.spark_home, environ, cwd)
    if submit is None or not is_sparks_own(submit) or _env_script(application, environ, cwd) is not None:
        return []
    return [
        "master: yarn needs HADOOP_CONF_DIR or YARN_CONF_DIR in the environment: nothing else says where it is"
    ]


def _missing_files(application: Application, cwd: str) -> list[str]:
    """Files of this host: what a standalone master's worker will read is on that worker's host, not here."""
    wanted = [("keytab", application.options.get("keytab", ""))]
    if not (application.manager is Manager.STANDALONE and application.in_cluster):
        wanted.append(("ingestor-file", application.file))
        wanted += [(key, each) for key in _LISTS for each in application.options.get(key, "").split(",")]
    return [
        f"{key}: no such file: {path}"
        for key, named in wanted
        if (path := _local(named, cwd)) and not _exists(path)
    ]


def _local(named: str, cwd: str) -> Path | None:
    """The path of a file on this host, None for what is elsewhere. `#name` only renames it in the cluster."""
    parts = urlsplit(named.strip())
    if not parts.path or parts.scheme not in ("", "file"):
        return None
    return Path(cwd, parts.path)


def _exists(path: Path) -> bool:
    """Spark expands patterns in lists of files."""
    return path.exists() or (glob.has_magic(str(path)) and any(path.parent.glob(path.name)))


def _main_class(application: Application, cwd: str) -> list[str]:
    """Without `class`, spark-submit takes the one that the jar's manifest names."""
    path = _local(application.file, cwd)
    if "class" in application.options or not application.is_jar or path is None or not path.is_file():
        return []
    try:
        with zipfile.ZipFile(path) as jar:
            if "Main-Class:" in jar.read("META-INF/MANIFEST.MF").decode("utf-8", "replace"):
                return []
    except KeyError:
        pass
    except (OSError, zipfile.BadZipFile):
        return [f"ingestor-file: is no jar: {path}"]
    return ["class: is missing, and the jar's manifest names no Main-Class"]
