"""Starting workers, and holding what the supervisor needs of each: its channel and a pidfd.

Workers are forked by multiprocessing's fork server, a fresh interpreter that has neither threads nor
connections, so that no worker inherits another's socket or a database's. Whether one lives is told by its pidfd
alone: losing the fork server costs nothing that runs.
"""

import contextlib
import errno
import functools
import multiprocessing
import os
import re
import resource
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Any

from mflow.core.errors import Unequipped
from mflow.core.model import Identity
from mflow.core.names import TOKENS_VARIABLE
from mflow.engine.channel import Channel
from mflow.engine.identity import identity_of
from mflow.engine.messages import WorkerSettings
from mflow.engine.worker import worker_main

PRELOADED = ["mflow.engine.forkserver_preload"]
"""What the fork server imports once, for all workers."""

_KEPT = "_mflow_socket"  # where we keep the descriptor of the fork server's socket

_UNSEEN = 255
"""What multiprocessing says of a process whose fork server has died before it could tell."""

_FOR_SERVERS = re.compile(
    r"HOME|USER|LOGNAME|PATH|TMPDIR|TMP|TEMP|TZ|LANG|LANGUAGE|LC_\w+|LD_\w+|MALLOC_\w+|GLIBC_TUNABLES|PYTHON\w+|"
    rf"VIRTUAL_ENV|COV\w+|{TOKENS_VARIABLE}"
)
"""Variables that an interpreter needs to start, or that tell whose a process is."""

FILES_NEEDED = 26
"""Descriptors that a supervisor of one task at a time needs, with all that its database and its evidence want."""

FILES_SPARE = 10
"""Descriptors that workers leave to the database, the logs and the evidence: without these nothing goes on."""

CAUSE_SECONDS = 0.5
"""How long the fork server is given to say how a worker died."""

ANSWER_SECONDS = 20.0
"""How long the fork server is given to start a worker, some milliseconds' work: the loop waits for it."""

_context = multiprocessing.get_context("forkserver")


def prestart() -> None:
    """Start the fork server now, so that it is up when the first worker is wanted. Safe to call again."""
    require_means()
    forkserver.set_forkserver_preload(PRELOADED)
    _ensure_server()


@functools.cache
def require_means() -> None:
    """Raise Unequipped where no supervisor could work: better now than between a claim and its dispatch.

    A soft limit that is too low for the fork server and its workers is raised as far as they need.
    """
    if not os.path.exists("/proc/self/fd"):
        raise Unequipped(
            "/proc is not mounted: mflow tells processes apart by it", hint="mount -t proc proc /proc"
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = len(os.listdir("/proc/self/fd")) - 1 + FILES_NEEDED
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Unequipped(
            f"this process may open {hard} files, and mflow needs {needed} (4 more for each further task at a time)",
            hint="let it open more: ulimit -n 1024 (LimitNOFILE= of a systemd unit)",
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _ensure_server() -> None:
    """Have the fork server run, reached by its socket's inode alone: no name of it is left, however we end.

    multiprocessing makes a folder for the socket and removes it when the interpreter exits, which `leave` and a
    kill -9 forestall. To be connected to, a socket needs no name if a descriptor of it is kept (O_PATH, open(2)); and
    bound by way of a descriptor of its folder, it may be in one with a long name.
    """
    if _server_lives():
        return
    process = multiprocessing.current_process()
    with _folder_for_a_moment() as folder:
        process._config["tempdir"] = folder  # type: ignore[attr-defined]
        try:
            with _main_module_hidden(), _secrets_hidden():
                forkserver.ensure_running()
            _keep_socket_only(getattr(forkserver, "_forkserver", None))
        finally:
            process._config["tempdir"] = None  # type: ignore[attr-defined]


def _forget_folder() -> None:
    """Where the fork server died after we had looked, multiprocessing has started another in a folder of its own."""
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    if folder := config.get("tempdir"):
        _keep_socket_only(getattr(forkserver, "_forkserver", None))
        shutil.rmtree(folder, ignore_errors=True)
        config["tempdir"] = None


@contextlib.contextmanager
def _folder_for_a_moment() -> Iterator[str]:
    """A path of a new folder, of some 20 bytes however long its name is. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix="mflow-") as folder:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


def _keep_socket_only(server: Any) -> None:
    before = getattr(server, _KEPT, None)
    descriptor = os.open(server._forkserver_address, os.O_PATH | os.O_CLOEXEC)
    server._forkserver_address = f"/proc/self/fd/{descriptor}"
    setattr(server, _KEPT, descriptor)
    if before is not None:
        os.close(before)


def own_servers() -> frozenset[int]:
    """Pids of the children that multiprocessing itself looks after."""
    pids = (
        _server_pid(),
        getattr(getattr(resource_tracker, "_resource_tracker", None), "_pid", None),
    )
    return frozenset(pid for pid in pids if pid)


def wake_servers() -> None:
    """Have multiprocessing's own children go on if somebody has stopped them."""
    for pid in own_servers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def allow_many_files() -> None:
    """Raise this process's soft limit of open files: each worker needs four.

    Called after the fork server has started, so that tasks keep the limit of whoever called mflow.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Worker:
    """A worker of this supervisor."""

    def __init__(
        self, number: int, process: ForkServerProcess, identity: Identity, pidfd: int, end: socket.socket
    ):
        self.number = number
        self.identity = identity
        self.pidfd = pidfd
        self.channel = Channel(end)
        self._process = process

    def probable_cause(self) -> str:
        """How the process ended, in words, if its parent can still tell; it is over already."""
        self._process.join(CAUSE_SECONDS)  # the fork server has yet to reap it
        code = self._process.exitcode
        if code in (None, _UNSEEN):
            return "its end was not seen"
        return _cause(code)

    def close(self) -> None:
        """Let go of what belongs to a worker that is over."""
        self.channel.close()
        os.close(self.pidfd)
        with contextlib.suppress(ValueError, OSError):
            self._process.close()


def start_worker(number: int, settings: WorkerSettings) -> Worker:
    """Start one worker; some milliseconds. Raises OSError or EOFError if that cannot be done now."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _require_spare(theirs.fileno())
        process = _context.Process(target=worker_main, args=(theirs, settings), name=f"mflow-worker-{number}")
        _ensure_server()
        wake_servers()
        with _main_module_hidden(), _end_of_patience():
            process.start()
        _forget_folder()
        theirs.close()
        return _introduce(number, process, ours)
    except BaseException:
        ours.close()
        theirs.close()
        raise


def _require_spare(newest: int) -> None:
    """Raise OSError if a worker would take the last descriptors; `newest` is the lowest number that was free."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and newest >= soft - FILES_SPARE:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _introduce(number: int, process: ForkServerProcess, ours: socket.socket) -> Worker:
    pid = process.pid
    assert pid is not None
    if pid < 0:  # `forkserver_preload`
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    pidfd = os.pidfd_open(pid)
    identity = identity_of(pid)
    if identity is None:
        os.close(pidfd)
        raise ProcessLookupError(f"worker {number} (pid {pid}) ended at once")
    return Worker(number, process, identity, pidfd, ours)


@contextlib.contextmanager
def _end_of_patience() -> Iterator[None]:
    """Kill a fork server that does not answer: what waits for it, in the main thread, ends with OSError or EOFError.

    The next worker is started by a new one; what runs needs none.
    """
    before = signal.signal(signal.SIGALRM, lambda *_: _kill_server())
    timer = signal.setitimer(signal.ITIMER_REAL, ANSWER_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)  # of whoever has one of his own


def _kill_server() -> None:
    if _server_lives():
        os.kill(_server_pid(), signal.SIGKILL)


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep multiprocessing from importing our main module in every worker: it would load the whole cli there."""
    main = sys.modules["__main__"]
    kept: dict[str, Any] = {
        name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)
    }
    try:
        main.__spec__ = None
        if "__file__" in kept:
            del main.__file__
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


@contextlib.contextmanager
def _secrets_hidden() -> Iterator[None]:
    """Keep passwords in our environment out of /proc/PID/environ of the fork server and of all workers.

    What that shows is what a program was started with; workers set the variables themselves.
    """
    hidden = {k: v for k, v in os.environ.items() if not _FOR_SERVERS.fullmatch(k)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _server_pid() -> int:
    """Of the fork server that was started last; 0 without one."""
    return getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None) or 0


def _server_lives() -> bool:
    pid = _server_pid()
    if not pid:
        return False
    try:  # not reaped: that is multiprocessing's to do
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _cause(code: int) -> str:
    if code >= 0:
        return f"it exited with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    guess = {"SIGKILL": ", perhaps by the out-of-memory killer", "SIGSEGV": ", a fault in a driver"}.get(
        name, ""
    )
    return f"it was ended by {name}{guess}"
