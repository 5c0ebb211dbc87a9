"""State in an Oracle database, seen from the command line."""

import os
from collections.abc import Iterator

import pytest

from tests.cli.project import Project
from tests.store.databases import Control, Database, oracle_url

pytestmark = pytest.mark.oracle


@pytest.fixture
def site(project: Project) -> Project:
    """Its state database is the Oracle under test, with no runs in it."""
    Database(oracle_url()).empty()
    project.env["MFLOW_DATABASE"] = oracle_url()
    return project.tasks(a="true")


@pytest.fixture
def expiring(site: Project) -> Iterator[None]:
    """The password of the login expires within three days."""
    if "MFLOW_TEST_ORACLE_CONTROL" not in os.environ:
        pytest.skip("faults can be injected into a stand-in only: MFLOW_TEST_ORACLE_CONTROL is not set")
    control = Control(os.environ["MFLOW_TEST_ORACLE_CONTROL"])
    user = oracle_url().partition("//")[2].partition(":")[0]
    control("password_grace", user=user, days=3)
    yield
    control("password_grace", user=user, days=None)


@pytest.mark.usefixtures("expiring")
def test_password_that_will_expire_is_told_once(site: Project) -> None:
    done = site.mflow("run")
    assert done.code == 0, done
    assert done.err.count("ORA-28002") == 1
    assert "mflow: warning: " in done.err
    assert "the password expires within 3 days" in done.err
    assert site.mflow("db", "check").err.count("within 3 days") == 1
