"""Whom a cluster's question is asked as."""

from pathlib import Path
from typing import Any

import pytest

from tests.tasks.spark.site import ACCEPTED, KILL, Site


@pytest.mark.parametrize(
    "keys",
    [
        {"principal": "etl@B", "keytab": "etl.keytab"},
        {"confs": {"spark.kerberos.principal": "etl@B", "spark.kerberos.keytab": "etl.keytab"}},
        {"confs": {"spark.yarn.principal": "etl@B", "spark.yarn.keytab": "etl.keytab"}},
    ],
)
def test_a_kill_on_yarn_takes_a_ticket_of_its_own(site: Site, keys: dict[str, Any]) -> None:
    kinit = site.folder / "bin" / "kinit"
    kinit.write_text(f'#!/bin/bash\necho "$KRB5CCNAME $@" >> {site.folder}/tickets\n')
    kinit.chmod(0o755)
    site.says(ACCEPTED)
    site.waits()
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin(**keys)
    trial.wait_until(lambda: "application_id" in trial.bench.facts)
    trial.stop()
    assert trial.end().error == "APPLICATION_KILLED"
    assert KILL in site.lines("asked")
    (ticket,) = site.lines("tickets")
    cache, _, words = ticket.partition(" ")
    assert words == "-k -t etl.keytab etl@B"
    assert not Path(cache.removeprefix("FILE:")).exists(), "the ticket is removed"
