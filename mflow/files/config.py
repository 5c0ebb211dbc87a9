"""config.json -> Config."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from mflow.core.model import Config, Leftovers, OnSupervisorDeath, RetryPolicy
from mflow.files.expand import Expanded, expand_env
from mflow.files.keys import key_table
from mflow.files.report import Report, shown
from mflow.files.retry_keys import WithRetry, merged_policy
from mflow.files.values import Count, Seconds, Some, Variables, Wait, as_pairs
from mflow.files.wording import place_of, report_invalid

_SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^/:?][^?]*)(?P<rest>.*)", re.DOTALL)


def _url(value: str) -> str:
    if not re.match(r"[A-Za-z][\w+.-]*://", value):
        raise ValueError("must be a database URL such as sqlite:///mflow.db")
    return value


class ConfigKeys(WithRetry):
    """The keys of config.json."""

    max_process_concurrency: Count | None = None
    check_new_config_interval: Seconds = 1.0
    log_directory: Some = "./logs"
    env: Variables = ()
    database: Annotated[Some, AfterValidator(_url)] | None = None
    kill_grace_seconds: Wait = 10.0
    on_supervisor_death: OnSupervisorDeath = OnSupervisorDeath.CONTINUE
    leftovers: Leftovers = Leftovers.KEEP
    database_patience_seconds: Wait = 3600.0


def read_config(
    raw: Mapping[str, Any],
    cwd: str,
    environ: Mapping[str, str],
    report: Report,
    *,
    elsewhere: bool = False,
) -> Config:
    """Check the content of config.json; if it is wrong (the report says how), the default is returned.

    Relative paths (`log_directory`, a SQLite file) are relative to `cwd`, as at the origin. If the file is `elsewhere`,
    in another folder, they draw a warning: what they mean changes with the folder in which a command is typed.
    """
    clean = key_table(ConfigKeys).normalised(raw, "", report)
    try:
        keys = ConfigKeys.model_validate(clean)
    except ValidationError as error:
        report_invalid(error, clean, "", report)
        return default_config(cwd)
    config = _config(keys, cwd, expanded(keys.env, clean, "", report, environ))
    if elsewhere:
        _warn_of_relative(keys, config, report)
    return config


def _warn_of_relative(keys: ConfigKeys, config: Config, report: Report) -> None:
    """What a relative path is here and now, written so that it is that everywhere."""
    given = [("log_directory", keys.log_directory, config.log_directory)]
    if keys.database and config.database:
        given.append(("database", keys.database, config.database))
    for key, value, here in given:
        if key in keys.model_fields_set and here != os.path.normpath(value) and here != value:
            report.warning(
                key,
                f"{shown(value)} is relative to the current folder, not to that of this file, so in another folder it "
                f'is another place; what it is here, write as "{here}"',
            )


def default_config(cwd: str) -> Config:
    """What holds without a config.json."""
    return _config(ConfigKeys.model_validate({}), cwd, Expanded((), ()))


def _config(keys: ConfigKeys, cwd: str, env: Expanded) -> Config:
    return Config(
        max_process_concurrency=keys.max_process_concurrency or _processors(),
        log_directory=os.path.normpath(os.path.join(cwd, keys.log_directory)),
        check_new_config_interval=keys.check_new_config_interval,
        env=env.env,
        env_taken=env.taken,
        database=None if keys.database is None else absolute_sqlite(keys.database, cwd),
        kill_grace_seconds=keys.kill_grace_seconds,
        retry=merged_policy(RetryPolicy(), keys.retry_given()),
        on_supervisor_death=keys.on_supervisor_death,
        leftovers=keys.leftovers,
        database_patience_seconds=keys.database_patience_seconds,
    )


def expanded(
    env: Variables, raw: Mapping[str, Any], place: str, report: Report, known: Mapping[str, str]
) -> Expanded:
    """The variables of the key `env` of the object at `place`, expanded; unknown ones draw a warning."""
    result = expand_env(as_pairs(env), known)
    for position, name in result.unknown:
        where = place_of(("env", position, "value"), raw, place)
        report.warning(where, f'no variable "{name}": it is taken as empty')
    return result


def absolute_sqlite(url: str, cwd: str) -> str:
    """The URL with the path of a SQLite file made absolute; any other URL as it is."""
    match = _SQLITE.fullmatch(url)
    if match is None or match["path"].startswith("file:"):
        return url
    return f"{match['scheme']}{os.path.normpath(os.path.join(cwd, match['path']))}{match['rest']}"


def _processors() -> int:
    return len(os.sched_getaffinity(0))
