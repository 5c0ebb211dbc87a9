"""One SQLite file: opening it, making it, telling what it is, and what SQLite's result codes mean.

WAL with synchronous FULL: a commit is on the disk when it returns, and readers never wait for writers. WAL needs
memory shared by all who have the file open, so it is not used on network file systems.
https://www.sqlite.org/wal.html https://www.sqlite.org/rescode.html
"""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mflow.core.errors import StoreOutdated, StoreRefused
from mflow.store.failures import Failure, Kind

_CACHE_KIB = 8000
_SHARED_BYTES = 32768  # the smallest `-shm` file
_MAGIC = b"SQLite format 3\0"
_DAMAGED = (
    "Nothing was changed. Restore a copy, or recover what can be read with `sqlite3 FILE .recover`, "
    "or name another file as the state database."
)


def connect(
    path: str, *, busy_seconds: float, read_only: bool = False, alone: bool = False
) -> sqlite3.Connection:
    """A connection that begins and ends its transactions only as told. Never creates the file.

    `alone`: for a reader that shares the file with nobody while it is open, and so needs no memory shared with others.
    """
    conn = sqlite3.connect(
        _uri(path, read_only),
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,  # opened and checked by one thread, then used by another one alone
    )
    try:
        if alone:  # before the first look at the file: https://www.sqlite.org/wal.html#noshm
            conn.execute("PRAGMA locking_mode = EXCLUSIVE")
        for pragma in ("synchronous = FULL", "foreign_keys = ON", f"cache_size = -{_CACHE_KIB}"):
            conn.execute(f"PRAGMA {pragma}")
    except BaseException:
        conn.close()
        raise
    return conn


def _uri(path: str, read_only: bool) -> str:
    """Without permission to write, a file that nobody has open can only be read as one that cannot change."""
    unused = read_only and not Path(f"{path}-wal").exists()
    mode = "mode=ro&immutable=1" if unused else f"mode={'ro' if read_only else 'rw'}"
    return f"file:{quote(path)}?{mode}"


def lacks_room(path: str) -> bool:
    """Whether the memory that all users of a WAL file share is not there, and the disk has no room to make it."""
    shared = Path(f"{path}-shm")
    try:
        if shared.exists() and shared.stat().st_size >= _SHARED_BYTES:
            return False
        return _room(path) < _SHARED_BYTES
    except OSError:
        return False


def _room(path: str) -> int:
    """Bytes that this user may still write to the disk of a file; none if it can hold no more files."""
    disk = os.statvfs(Path(path).parent)
    is_root = os.geteuid() == 0
    files = disk.f_ffree if is_root else disk.f_favail
    return (disk.f_bfree if is_root else disk.f_bavail) * disk.f_frsize if files or not disk.f_files else 0


def which(path: str) -> tuple[int, int] | None:
    """Device and number of the file that the path leads to now; None if there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_read_only(path: str) -> bool:
    """True if the file is there and this process may not write it, or may not write beside it."""
    file = Path(path)
    return file.is_file() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


# ------------------------------------------------------------------------------------------ what it is


def require_place(path: str, *, create: bool) -> None:
    """Raise unless there is a file, or (`create`) could be one. StoreOutdated: there is none. StoreRefused."""
    file = Path(path)
    if not file.parent.is_dir():
        raise StoreRefused(
            f"{path}: no folder {file.parent}", hint="Make the folder, or name another database."
        )
    if file.is_dir():
        raise StoreRefused(f"{path}: a folder, not a database file", hint="Name a file in it.")
    if file.exists():
        _require_readable(file)
    elif not create:
        raise StoreOutdated(f"no state database at {path}", hint="`mflow run` makes one; or name another.")
    elif not os.access(file.parent, os.W_OK | os.X_OK):
        raise StoreRefused(
            f"{path}: no permission to make a file in {file.parent}", hint="Name another database."
        )


def _require_readable(file: Path) -> None:
    if not file.is_file():
        raise StoreRefused(f"{file}: not a file", hint="Name another database.")
    if not os.access(file, os.R_OK):
        raise StoreRefused(
            f"{file}: no permission to read it", hint="Ask its owner, or name another database."
        )
    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) not in (
            b"",
            _MAGIC,
        ):  # SQLite would take a file of a few bytes for an empty one
            raise StoreRefused(f"{file}: not a SQLite database, or a damaged one", hint=_DAMAGED)


def table_names(conn: sqlite3.Connection) -> list[str]:
    """The tables of the database, SQLite's own ones aside."""
    found = conn.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    return [name for (name,) in found]


def require_ours(path: str, names: list[str], version_table: str) -> None:
    """Raise unless the tables are mflow's. StoreOutdated: there are none at all. StoreRefused: another program's."""
    if version_table in names:
        return
    if not names:
        raise StoreOutdated(
            f"{path}: a database without tables", hint="`mflow run` or `mflow db upgrade` makes them."
        )
    shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    raise StoreRefused(
        f"{path}: a SQLite database of another program (tables: {shown})",
        hint="Nothing was changed. Name another file as the state database.",
    )


def newest_run(cursor: sqlite3.Cursor) -> tuple[int, str] | None:
    """Number and random id of a run that tells this database from others; None if it has none yet."""
    try:
        cursor.execute("SELECT id, run_uid FROM mflow_runs ORDER BY id DESC LIMIT 1")
    except sqlite3.OperationalError as error:
        if str(error).startswith("no such table"):
            return None
        raise
    found: tuple[int, str] | None = cursor.fetchone()
    return found


def require_run(path: str, cursor: sqlite3.Cursor, known: tuple[int, str]) -> None:
    """Raise StoreRefused unless the database has this run."""
    if cursor.execute("SELECT 1 FROM mflow_runs WHERE id = ? AND run_uid = ?", known).fetchone() is None:
        raise StoreRefused(
            f"{path}: replaced by another database while it was in use",
            hint="Nothing was written to it. Bring the file that was there back.",
        )


# ---------------------------------------------------------------------------------------------- making it


def make(path: str, script: str, *, wal: bool, busy_seconds: float) -> None:
    """Make the file and its tables, if there are none. Several processes may do so at once: one does, all see it.

    A file that holds anything already is left as it is. Raises sqlite3.Error.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    with closing(connect(path, busy_seconds=busy_seconds)) as conn:
        if table_names(conn):
            return
        if wal:
            conn.execute("PRAGMA journal_mode = WAL")  # stays with the file
        conn.execute("BEGIN IMMEDIATE")
        if not table_names(conn):
            for statement in split(script):
                conn.execute(statement)
        conn.execute("COMMIT")


def split(script: str) -> list[str]:
    """The statements of a rendered script, one by one: `executescript` would end the transaction around it."""
    statements, current = [], ""
    for line in script.splitlines():
        if not current and (not line.strip() or line.startswith("--")):
            continue
        current += line + "\n"
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


def journal(conn: sqlite3.Connection) -> str:
    """The journal mode of the file: "wal", "delete" ..."""
    [mode] = conn.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def use_journal(conn: sqlite3.Connection, *, wal: bool) -> str:
    """Bring the file to WAL or away from it, if nobody else has it open; the mode it has now."""
    wanted = "wal" if wal else "delete"
    if journal(conn) != wanted:
        try:
            conn.execute(f"PRAGMA journal_mode = {wanted}")
        except sqlite3.OperationalError:  # in use: as good as before
            pass
    return journal(conn)


# ------------------------------------------------------------------------------------------ where it lies

_SHARED_FILE_SYSTEMS = frozenset(
    "9p afs beegfs ceph cifs coda davfs drvfs fuse gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs panfs "
    "prl_fs smb3 smbfs vboxsf virtiofs vmhgfs".split()
)


def shared_file_system(path: str, mounts: str | None = None) -> str | None:
    """The type of the file system if other machines may share it, else None. `mounts`: a mountinfo's text."""
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape") if mounts is None else mounts
    except OSError:  # no /proc: nothing can be said
        return None
    kind = _file_system(str(Path(path).resolve()), text)
    return kind if kind.startswith("fuse.") or kind in _SHARED_FILE_SYSTEMS else None


def _file_system(path: str, mounts: str) -> str:
    """The type of the mount with the longest path above `path`; of two at one place, the later one hides the other.

    A line: id, parent, device, root, mount point, options, optional fields, "-", type, source, options
    (proc_pid_mountinfo(5)).
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]).rstrip("/")
        if (path == place or path.startswith(f"{place}/")) and len(place) >= best:
            best, kind = len(place), after.split(" ")[0]
    return kind


# -------------------------------------------------------------------------------------- what went wrong

_T, _R = Kind.TRANSIENT, Kind.REFUSED
_GOES_ON = "a run that waits for it goes on by itself when there is some."
_MEANINGS = {
    sqlite3.SQLITE_BUSY: (
        _T,
        "locked by another process",
        "Another process writes to it; trying again helps.",
    ),
    sqlite3.SQLITE_LOCKED: (_T, "locked", "Another process writes to it; trying again helps."),
    sqlite3.SQLITE_PROTOCOL: (_T, "locked by another process", "Trying again helps."),
    sqlite3.SQLITE_NOMEM: (_T, "no memory left", ""),
    sqlite3.SQLITE_INTERRUPT: (_T, "interrupted", ""),
    sqlite3.SQLITE_IOERR: (
        _T,
        "the disk cannot be read or written",
        "Look at the disk and the kernel's log.",
    ),
    sqlite3.SQLITE_FULL: (_T, "the disk is full", f"Make room: {_GOES_ON}"),
    sqlite3.SQLITE_CANTOPEN: (
        _T,
        "the file cannot be opened",
        "Is its folder there, may this user write there, are too many files open (ulimit -n)?",
    ),
    sqlite3.SQLITE_CORRUPT: (_R, "the database file is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: (_R, "not a SQLite database, or a damaged one", _DAMAGED),
    sqlite3.SQLITE_READONLY: (
        _R,
        "the file or its folder is not writable",
        "Give this user write permission.",
    ),
    sqlite3.SQLITE_PERM: (_R, "no permission", "Give this user permission to read and write it."),
    sqlite3.SQLITE_AUTH: (_R, "no permission", ""),
}


_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What is said where the disk is full: a reader too must make the files beside that of the database."""


def explain(error: BaseException, path: str = "") -> Failure:
    """What an error of the driver means, by SQLite's primary result code; `path` is that of the database."""
    if str(error).startswith("no such table"):
        return Failure(Kind.OUTDATED, f"the tables are missing ({error})")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind, text, hint = _MEANINGS.get(code, (_R, "an unexpected error", ""))
    if code in _NO_ROOM and path and (code == sqlite3.SQLITE_FULL or _is_full(path)):
        folder = Path(path).parent
        text, hint = f"the disk of {folder} is full", f"Make room there (df {folder}): {_GOES_ON}"
    return Failure(kind, f"{text} ({error})", hint)


def _is_full(path: str) -> bool:
    try:
        return _room(path) < _SHARED_BYTES
    except OSError:
        return False
