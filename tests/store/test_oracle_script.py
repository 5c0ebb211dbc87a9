"""db/oracle.sql as a database administrator gets it: readable, harmless, and enough."""

import re
import uuid
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from mflow.core.errors import StoreOutdated
from mflow.store import admin, scripts
from mflow.store.connect import connect, open_store
from mflow.store.tables import VERSION_TABLE, metadata, run_ids
from tests.store import older_tables
from tests.store.databases import Control, Database, oracle_url
from tests.store.samples import create
from tests.store.test_migrations import drop_everything

SQLPLUS = ("ACCEPT ", "SET ", "UNDEFINE ", "WHENEVER ")


def statements(start: str | None = None, **variables: str) -> list[str]:
    """What SQL*Plus would send: its own commands carried out, comments dropped, variables replaced."""
    lines = [
        line
        for line in scripts.render_sql("oracle", start).splitlines()
        if not line.startswith(("--", *SQLPLUS)) and line.strip()
    ]
    text = re.sub(r"&&(\w+)", lambda name: variables[name[1]], "\n".join(lines))
    return [each.removesuffix(";") for each in re.split(r"(?<=;)\n", text + "\n") if each.strip()]


@pytest.fixture
def sent() -> list[str]:
    return statements(mflow_owner="DBA_MADE", mflow_tablespace="USERS", mflow_password="Geheim1")


def test_each_statement_is_one_of_oracle(sent: list[str]) -> None:
    for statement in sent:
        parsed = sqlglot.parse(statement, read="oracle")
        assert len(parsed) == 1
        assert parsed[0] is not None


def test_tables_and_columns_as_parsed_are_those_of_the_metadata(sent: list[str]) -> None:
    found = {}
    for statement in sent:
        if statement.startswith("CREATE TABLE"):
            schema = sqlglot.parse_one(statement, read="oracle").this
            found[schema.this.name] = [
                each.name for each in schema.expressions if isinstance(each, exp.ColumnDef)
            ]
        elif added := re.match(r"ALTER TABLE (\S+) ADD (\w+) ", statement):
            found[added[1]].append(added[2])
    wanted = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}
    assert found == wanted | {VERSION_TABLE: ["version_num"]}


def test_every_table_and_column_is_commented(sent: list[str]) -> None:
    commented = {
        match[1] for each in sent if (match := re.match(r"COMMENT ON (?:TABLE|COLUMN) (\S+) IS '.+'", each))
    }
    tables = [(table.name, [column.name for column in table.columns]) for table in metadata.sorted_tables]
    tables.append((VERSION_TABLE, ["version_num"]))
    for table, columns in tables:
        assert table in commented
        assert {f"{table}.{column}" for column in columns} <= commented


def test_least_privilege(sent: list[str]) -> None:
    """The stand-in for Oracle enforces no privileges: so the text is looked at."""
    grants = [each for each in sent if each.startswith("GRANT")]
    assert grants == [
        f"GRANT {what} TO DBA_MADE" for what in ("CREATE SESSION", "CREATE TABLE", "CREATE SEQUENCE")
    ]
    whole = scripts.render_sql("oracle").upper()
    for word in (
        "RESOURCE",
        "DBA_",
        "UNLIMITED",
        "ANY TABLE",
        "WITH ADMIN",
        "WITH GRANT",
        "PUBLIC",
        "GRANT CONNECT",
    ):
        assert word not in whole, word


def test_no_password_is_in_the_file() -> None:
    text = scripts.render_sql("oracle")
    identified = re.findall(r"IDENTIFIED BY (\S+)", text)
    assert identified == ['"&&mflow_password"', "...;"]
    assert re.search(r"ACCEPT mflow_password .* HIDE$", text, re.MULTILINE)
    assert "UNDEFINE mflow_password" in text


def test_nothing_of_the_tool_before_is_touched(sent: list[str]) -> None:
    for statement in sent:
        assert not re.search(r"\bTASKS(_MASTER)?\b", re.sub(r"'[^']*'", "", statement).upper()), statement


def test_grants_for_a_user_of_its_own_cover_all_that_the_store_uses() -> None:
    offered = re.findall(
        r"^-- GRANT (.*) ON (\S+) TO mflow_app;$", scripts.render_sql("oracle"), re.MULTILINE
    )
    assert {name: what for what, name in offered} == {
        table.name: "SELECT, INSERT, UPDATE, DELETE" for table in metadata.sorted_tables
    } | {VERSION_TABLE: "SELECT", run_ids.name: "SELECT"}


# ------------------------------------------------------------------------------------------- run on Oracle


@pytest.fixture
def fresh_user(oracle: Database, control: Control) -> str:
    """Nobody yet: the script makes this user. Its URL."""
    name = f"DBA_MADE_{uuid.uuid4().hex[:8].upper()}"
    store = connect(oracle.where, create=False)
    with store.engine.connect() as conn:
        sent = statements(mflow_owner=name, mflow_tablespace="USERS", mflow_password="Geheim1")
        part_1 = sent[: next(place for place, each in enumerate(sent) if each.startswith("ALTER SESSION"))]
        for statement in part_1:
            conn.exec_driver_sql(statement)
    store.close()
    return re.sub(r"//[^@]*@", f"//{name}:Geheim1@", oracle_url())


@pytest.mark.oracle
def test_script_makes_what_mflow_needs(fresh_user: str) -> None:
    with pytest.raises(StoreOutdated, match="tables of mflow are missing") as caught:
        open_store(fresh_user)
    assert "mflow db upgrade" in caught.value.hint
    assert "mflow db sql --dialect oracle" in caught.value.hint

    name = fresh_user.partition("//")[2].partition(":")[0]
    store = connect(fresh_user, create=False)
    with store.engine.begin() as conn:
        sent = statements(mflow_owner=name, mflow_tablespace="USERS", mflow_password="Geheim1")
        first = next(place for place, each in enumerate(sent) if each.startswith("ALTER SESSION"))
        for statement in sent[first:]:
            conn.exec_driver_sql(statement)
    store.close()

    store = open_store(fresh_user)
    assert len(store.read_tasks(create(store).id)) == 4
    store.close()


@pytest.mark.oracle
def test_tables_of_another_owner(oracle: Database, fresh_user: str) -> None:
    """`schema` in oracle.json: the login is not the owner."""
    create(oracle.open())
    owner = oracle_url().partition("//")[2].partition(":")[0]
    store = open_store(f"{fresh_user}&schema={owner.lower()}")
    assert store.newest_run() is not None
    assert len(store.read_tasks(create(store).id)) == 4
    store.close()
    assert len(oracle.open().list_runs()) == 2


@pytest.mark.oracle
def test_script_upgrades_tables_of_an_older_version(oracle: Database, tmp_path: Path) -> None:
    drop_everything(oracle.open())
    older_tables.make_oracle(oracle, tmp_path)
    with pytest.raises(StoreOutdated) as caught:
        open_store(oracle.where)
    assert "mflow db sql --dialect oracle --from 0001" in caught.value.hint
    owner = oracle_url().partition("//")[2].partition(":")[0]
    oracle.execute(*statements("0001", mflow_owner=owner))
    store = oracle.open()
    assert admin.check(oracle.where).up_to_date
    assert [each.run.id for each in store.list_runs()] == [4, 3, 2, 1]
    create(store)
