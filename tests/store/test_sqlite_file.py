"""A SQLite file: made once by whoever comes first, and a clear word for everything that can be wrong with it."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mflow.core.errors import StoreError, StoreOutdated, StoreRefused, StoreUnavailable
from mflow.core.model import Batch
from mflow.core.states import RunState
from mflow.store import connect, sqlite_file
from mflow.store.connect import open_store
from mflow.store.scripts import VERSIONS, render_sql
from tests.store.samples import claim, create, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file may be."""
    return tmp_path / "mflow.db"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, as sqlite3 sees it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        yield conn


# ----------------------------------------------------------------------------------------------- made


def test_made_by_create_alone(path: Path) -> None:
    with pytest.raises(StoreOutdated, match=re.escape(f"no state database at {path}")):
        open_store(url(path))
    assert not path.exists()
    open_store(url(path), create=True).close()
    open_store(url(path)).close()


def test_path_is_relative_to_the_current_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with closing(open_store("sqlite:///mflow.db", create=True)) as store:
        assert store.url == url(path)
    assert path.is_file()


@pytest.mark.parametrize(
    "name", ["with blank.db", "ñandú ✓.db", "per%20cent.db", "que?ry.db", "ha#sh.db", "a&b=c.db"]
)
def test_strange_names(tmp_path: Path, name: str) -> None:
    store = connect.connect_sqlite(str(tmp_path / name), create=True)
    with closing(store):
        create(store)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_durable_and_shared_mode(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        create(store)
        with raw(path) as conn:
            assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.warnings == []
    with closing(sqlite_file.connect(str(path), busy_seconds=1)) as conn:
        assert conn.execute("PRAGMA synchronous").fetchone() == (2,)
        assert conn.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_nothing_but_the_file_is_left(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        create(store)
    assert list(path.parent.iterdir()) == [path]


def test_empty_file_counts_as_none(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreOutdated, match="without tables"):
        open_store(url(path))
    assert path.stat().st_size == 0
    open_store(url(path), create=True).close()


def test_file_whose_making_was_cut_short_is_completed(path: Path) -> None:
    with raw(path) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
    open_store(url(path), create=True).close()


def test_alembic_is_not_loaded_to_make_a_file(path: Path) -> None:
    code = (
        "import sys; from mflow.store.connect import open_store; open_store(sys.argv[1], create=True).close(); "
        "print([name for name in ('alembic', 'mako', 'oracledb', 'tenacity', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, url(path)], text=True, capture_output=True, check=True)
    assert done.stdout == "[]\n"


# ------------------------------------------------------------------------------------------------ wrong


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=f"no folder {re.escape(str(tmp_path))}/none"):
        open_store(url(tmp_path / "none" / "mflow.db"), create=True)


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="a folder, not a database file"):
        open_store(url(tmp_path), create=True)


def test_device_instead_of_a_file() -> None:
    with pytest.raises(StoreRefused, match="/dev/null: not a file"):
        open_store("sqlite:////dev/null", create=True)


def test_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "mflow.db")
    with pytest.raises(StoreError, match=r"mflow\.db"):
        open_store(url(path), create=True)


@pytest.mark.parametrize("given", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_database_that_is_no_file(given: str) -> None:
    with pytest.raises(StoreRefused, match="not a file"):
        open_store(given, create=True)


@pytest.mark.parametrize(
    "given", ["mflow.db", "", "://", "sqlite", "postgresql://ana:secret@h/db", "nosuch+x://y"]
)
def test_url_that_is_none_or_of_another_database(given: str) -> None:
    with pytest.raises(StoreRefused) as caught:
        open_store(given, create=True)
    assert "secret" not in caught.value.message
    assert caught.value.hint


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with raw(path) as conn:
        for name in "abcdefg":
            conn.execute(f"CREATE TABLE {name} (x)")
    before = path.read_bytes()
    for create_it in (False, True):
        with pytest.raises(StoreRefused, match=r"of another program \(tables: a, b, c, d, e ...\)"):
            open_store(url(path), create=create_it)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"x", b"not a database at all\n" * 500, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for create_it in (False, True):
        with pytest.raises(StoreRefused, match="damaged") as caught:
            open_store(url(path), create=create_it)
        assert str(path) in caught.value.message
        assert "Nothing was changed" in caught.value.hint
    assert path.read_bytes() == content


def test_damaged_pages(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        create(store, 500)
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StoreRefused, match="damaged"), closing(open_store(url(path))) as store:
        store.read_tasks(1)


@pytest.mark.parametrize("create_it", [False, True])
def test_newer_tables(path: Path, create_it: bool) -> None:
    open_store(url(path), create=True).close()
    with raw(path) as conn:
        conn.execute("UPDATE mflow_version SET version_num = '9999'")
    with pytest.raises(StoreOutdated, match="version 9999, newer than"):
        open_store(url(path), create=create_it)


def test_tables_without_a_version(path: Path) -> None:
    open_store(url(path), create=True).close()
    with raw(path) as conn:
        conn.execute("DELETE FROM mflow_version")
    with pytest.raises(StoreOutdated, match="tables of mflow are missing"):
        open_store(url(path), create=True)


def test_table_dropped_under_an_open_store(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        run = create(store)
        with raw(path) as conn:
            conn.execute("DROP TABLE mflow_attempts")
        with pytest.raises(StoreOutdated, match="no such table: mflow_attempts"):
            store.read_tasks(run.id)


def test_foreign_hand_in_the_rows(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        run = running(store)
        with raw(path) as conn, pytest.raises(sqlite3.IntegrityError, match="mflow_tasks_state_ck"):
            conn.execute("UPDATE mflow_tasks SET state = 'DONE'")
        with raw(path) as conn:
            conn.execute("UPDATE mflow_tasks SET state = 'SUCCESS' WHERE task_no = 1")
        with pytest.raises(StoreRefused, match="2 x claim expected, but 1 matched"):
            store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1))))


# ----------------------------------------------------------------------------------- locked, full, read-only


def test_locked_file_is_worth_waiting_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mflow.store.dialects.BUSY_SECONDS", 0.01)
    with closing(open_store(url(path), create=True)) as store:
        run = running(store)
        with raw(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked by another process") as caught:
                store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
            assert not caught.value.applied_unknown
            assert store.read_run(run.id).state is RunState.RUNNING  # readers do not wait for writers
            other.execute("ROLLBACK")
        store.apply(run.id, 1, Batch(2, claims=(claim(0),)))


def test_full_disk_is_worth_waiting_for(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        run = running(store)
        conn = store.dialect.begin(store.engine, None, write=False)
        conn.exec_driver_sql("PRAGMA max_page_count = 1")  # that is: as many as there are
        store.dialect.commit(conn)
        with pytest.raises(StoreUnavailable, match="disk is full") as caught:
            create(store, 1000)
        assert "Make room" in caught.value.hint
        assert [each.run.id for each in store.list_runs()] == [run.id]


def test_disk_that_cannot_be_written_any_more(path: Path) -> None:
    """Beyond the limit of a file's size, a write fails like that on a full or broken disk; afterwards all is well."""
    code = """
import resource, signal, sys
sys.path.insert(0, ".")
from mflow.core.errors import StoreUnavailable
from mflow.store.connect import open_store
from tests.store.samples import create
store = open_store(sys.argv[1], create=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
try:
    create(store, 20_000)
    raise SystemExit("it was not refused")
except StoreUnavailable as error:
    print(error, error.hint)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
create(store, 20_000)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, url(path)], text=True, capture_output=True, cwd=root, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("the disk (is full|cannot be)", done.stdout)
    with raw(path) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM mflow_tasks").fetchone() == (20_000,)


def as_nobody(code: str, *arguments: str) -> str:
    """Run some Python as a user without any rights; what it printed. The tests may run as root, who may do all."""
    head = (
        "import os, sys\nfrom mflow.store.connect import open_store\nfrom mflow.core.errors import StoreRefused\n"
        "if os.getuid() == 0:\n    os.setgroups([])\n    os.setgid(65534)\n    os.setuid(65534)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + code, *arguments],
        text=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def closed_file() -> Iterator[Path]:
    """A file with a run in it that everybody may read, in a folder that only its owner may write."""
    with tempfile.TemporaryDirectory(prefix="mflow-test-") as folder:
        path = Path(folder) / "mflow.db"
        with closing(open_store(url(path), create=True)) as store:
            create(store)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        yield path
        path.parent.chmod(0o755)


READ = "store = open_store(sys.argv[1]); print(store.newest_run().state, store.warnings)\n"
WRITE = """
try:
    store.request_cancel(1, "ana")
except StoreRefused as error:
    print(error)
"""


def test_file_that_may_only_be_read(closed_file: Path) -> None:
    out = as_nobody(READ + WRITE, url(closed_file))
    assert "PENDING" in out
    assert "can only be read" in out
    assert "not writable" in out
    assert list(closed_file.parent.iterdir()) == [closed_file]


def test_read_only_file_of_a_live_run(closed_file: Path) -> None:
    """Its writer has it open, in WAL: what was committed last is seen."""
    closed_file.parent.chmod(0o755)
    closed_file.chmod(0o644)
    with closing(open_store(url(closed_file))) as store:
        store.request_cancel(1, "ana")
        assert "ana" in as_nobody(
            "store = open_store(sys.argv[1]); print(store.newest_run().cancelled_by)\n", url(closed_file)
        )


def test_folder_that_may_not_be_written(closed_file: Path) -> None:
    code = "try:\n    open_store(sys.argv[1], create=True)\nexcept StoreRefused as error:\n    print(error)\n"
    assert "no permission to make a file in" in as_nobody(code, url(closed_file.parent / "new.db"))


def test_folder_that_may_not_be_entered(closed_file: Path) -> None:
    closed_file.parent.chmod(0)
    for create_it in (False, True):
        code = f"try:\n    open_store(sys.argv[1], create={create_it})\n"
        refused = as_nobody(f"{code}except StoreRefused as error:\n    print(error)\n", url(closed_file))
        assert "mflow.db: Permission denied" in refused


def test_file_that_may_not_be_read(closed_file: Path) -> None:
    closed_file.chmod(0)
    code = "try:\n    open_store(sys.argv[1])\nexcept StoreRefused as error:\n    print(error)\n"
    assert "no permission to read it" in as_nobody(code, url(closed_file))


def test_mode_of_a_new_file_follows_the_umask(path: Path) -> None:
    before = os.umask(0o027)
    try:
        open_store(url(path), create=True).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# ------------------------------------------------------------------------------------ shared file systems

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/local rw - xfs /dev/sda2 rw
32 22 0:41 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:42 / /over rw - nfs server:/over rw
34 33 0:43 / /over rw - tmpfs tmpfs rw
35 22 0:44 / /s3 rw - fuse.s3fs s3fs rw
37 22 0:46 / /fuse rw - fuse someone rw
36 22 0:45 / /lower rw - overlay overlay rw
half a line
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/mflow.db", None),
        ("/home/ana/mflow.db", "nfs4"),
        ("/home", "nfs4"),
        ("/homestead/mflow.db", None),
        ("/home/local/mflow.db", None),
        ("/mnt/my share/mflow.db", "cifs"),
        ("/over/mflow.db", None),
        ("/s3/mflow.db", "fuse.s3fs"),
        ("/fuse/mflow.db", "fuse"),
        ("/lower/mflow.db", None),
    ],
)
def test_shared_file_systems_are_known_by_their_mount(place: str, kind: str | None) -> None:
    assert sqlite_file.shared_file_system(place, MOUNTS) == kind


@pytest.fixture
def on_nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every path is on a network file system."""
    monkeypatch.setattr(sqlite_file, "shared_file_system", lambda path, mounts=None: "nfs4")


@pytest.mark.usefixtures("on_nfs")
def test_no_wal_on_a_shared_file_system(path: Path) -> None:
    with closing(open_store(url(path), create=True)) as store:
        assert running(store).id == 1
        with raw(path) as conn:
            assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        [warning] = store.warnings
        assert "nfs4" in warning
        assert "one host at a time" in warning


def test_file_moved_to_a_shared_file_system_leaves_wal(path: Path, request: pytest.FixtureRequest) -> None:
    with closing(open_store(url(path), create=True)) as here:
        here.newest_run()
        request.getfixturevalue("on_nfs")
        with closing(open_store(url(path))) as store:
            assert len(store.warnings) == 2
            assert "not safe" in store.warnings[1]
    with closing(open_store(url(path))) as store:
        assert len(store.warnings) == 1
        with raw(path) as conn:
            assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# ------------------------------------------------------------------------------------------ rendered script


def test_script_is_split_into_its_statements() -> None:
    script = "-- head; it says\n\nCREATE TABLE a (\n  x TEXT DEFAULT ';'\n);\n-- more\nINSERT INTO a VALUES ('b;c');\n"
    assert sqlite_file.split(script) == [
        "CREATE TABLE a (\n  x TEXT DEFAULT ';'\n);\n",
        "INSERT INTO a VALUES ('b;c');\n",
    ]


def test_shipped_script_makes_the_version_needed(path: Path) -> None:
    with raw(path) as conn:
        conn.executescript(render_sql("sqlite"))
        assert conn.execute("SELECT version_num FROM mflow_version").fetchall() == [(VERSIONS[-1],)]
    open_store(url(path)).close()
