"""Starting the processes of an attempt, and learning how they ended.

posix_spawn is vfork and exec: its cost does not grow with the worker's memory. For the same reason the kernel's
figure of a process's peak memory is never below the worker's own peak (exec carries the figure of the borrowed
memory over): for small processes `max_rss_bytes` is an upper bound.
"""

import errno
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from resource import struct_rusage

from mflow.core.contracts import StopStep
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine.attempt_log import witness
from mflow.engine.identity import signal_pidfd

_SIGNAL_HINTS: dict[int, str] = {
    signal.SIGKILL: "perhaps by the kernel, out of memory, or by somebody's kill -9",
    signal.SIGSEGV: "it crashed",
    signal.SIGBUS: "it crashed",
    signal.SIGABRT: "it gave up on itself",
    signal.SIGXCPU: "over its limit of CPU time",
    signal.SIGXFSZ: "over its limit of file size",
}


class Launcher:
    """Starts processes and waits for them; one to a worker.

    Waits for *every* child of the worker, so that orphans of an attempt, which become its children, leave no
    zombies and the kernel can say when none is left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a task type may start processes in a thread of its own
        self._spare = -1
        self._started: dict[int, tuple[int, struct_rusage] | None] = {}  # pid -> how it ended
        self._commands: dict[tuple[str, str], str] = {}  # (name, PATH) -> where it was found
        self._witness = witness()
        self._to_default = [each for each in signal.valid_signals() if _is_ignored(each)]

    def launch(
        self,
        argv: Sequence[str],
        env: Mapping[bytes, bytes] | Mapping[str, str],
        *,
        path: str,
        cwd: str,
        log_fd: int,
    ) -> "Process":
        """Start a process as leader of a session of its own, all signals at their defaults.

        stdin is the worker's own /dev/null, stdout and stderr are the log, which is also at a number of its own (see
        `attempt_log`). Raises OSError, whose `strerror` (and `filename`) say what was missing, or ValueError (a NUL).
        """
        with self._lock:
            if self._spare < 0:
                self._spare = os.open("/dev/null", os.O_RDONLY)
            _enter(cwd)
            try:
                return Process(self._spawn(argv, env, path, log_fd), self)
            finally:
                os.chdir("/")  # a worker pins no file system

    def _spawn(
        self, argv: Sequence[str], env: Mapping[bytes, bytes] | Mapping[str, str], path: str, log_fd: int
    ) -> int:
        known = self._commands.get((argv[0], path))
        if known is not None:
            try:
                return self._spawn_file(known, argv, env, log_fd)
            except (FileNotFoundError, NotADirectoryError):
                pass  # it has moved since
        command = find_command(argv[0], path)
        if command.startswith("/"):
            self._commands[(argv[0], path)] = command
        return self._spawn_file(command, argv, env, log_fd)

    def _spawn_file(
        self, command: str, argv: Sequence[str], env: Mapping[bytes, bytes] | Mapping[str, str], log_fd: int
    ) -> int:
        try:
            pid = self._posix_spawn(command, argv, env, log_fd)
        except OSError as error:
            if error.errno != errno.EBADF or self._witness is None:
                raise
            self._witness = None  # the limit of open files was lowered meanwhile
            pid = self._posix_spawn(command, argv, env, log_fd)
        self._started[pid] = None
        return pid

    def watch(self, pid: int) -> int:
        """A pidfd of a process just started: for that a descriptor is kept in reserve."""
        try:
            return os.pidfd_open(pid)
        except OSError:
            os.close(self._spare)
            self._spare = -1
            return os.pidfd_open(pid)

    def _posix_spawn(
        self, command: str, argv: Sequence[str], env: Mapping[bytes, bytes] | Mapping[str, str], log_fd: int
    ) -> int:
        numbers = (1, 2) if self._witness is None else (1, 2, self._witness)
        return os.posix_spawn(
            command,
            tuple(argv),
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, log_fd, number) for number in numbers],
            setsid=True,
            setsigmask=(),
            setsigdef=self._to_default,
        )

    @property
    def has_started(self) -> bool:
        """Whether anything was started since `forget`."""
        return bool(self._started)

    def forget(self) -> None:
        """The attempt is over."""
        self._started.clear()

    def end_of(self, pid: int) -> tuple[int, struct_rusage]:
        """Wait status and use of resources (of it and all it waited for) of a process that has ended."""
        with self._lock:
            known = self._started.get(pid)
            return known if known is not None else os.wait4(pid, 0)[1:]

    def anything_left(self) -> bool:
        """Whether any process remains below the worker, after the dead ones were waited for."""
        with self._lock:
            while True:
                try:
                    pid, status, usage = os.wait4(-1, os.WNOHANG)
                except ChildProcessError:
                    return False
                if not pid:
                    return True
                if pid in self._started:
                    self._started[pid] = (status, usage)


class Process:
    """A process under way: a `Running` of `core.contracts`."""

    def __init__(self, pid: int, launcher: Launcher) -> None:
        self.pid: int | None = pid
        self._leader = pid
        self._launcher = launcher
        try:
            self._pidfd = launcher.watch(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)  # not waited for yet, so it cannot be another
            raise

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._pidfd

    def finish(self) -> AttemptEnd:
        """How it ended."""
        status, usage = self._launcher.end_of(self._leader)
        os.close(self._pidfd)
        return describe_end(
            status, cpu_seconds=usage.ru_utime + usage.ru_stime, max_rss_bytes=usage.ru_maxrss * 1024
        )

    def stop(self, step: StopStep) -> None:
        """TERM, later KILL, to this process alone: the rest of its tree is the worker's matter."""
        if step is StopStep.ASK:
            signal_pidfd(self._pidfd, signal.SIGTERM)
            signal_pidfd(self._pidfd, signal.SIGCONT)
        elif step is StopStep.KILL:
            signal_pidfd(self._pidfd, signal.SIGKILL)


def find_command(name: str, path: str) -> str:
    """The file of a command, searched in a PATH as execvp(3) does. Raises OSError."""
    if "/" in name:
        return name
    forbidden = ""
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder or ".", name)
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            forbidden = forbidden or candidate
    if forbidden:
        raise OSError(errno.EACCES, f"not executable: {forbidden}")
    raise OSError(errno.ENOENT, f"no such command: {name} (PATH is {path!r})")


def describe_end(
    status: int, *, cpu_seconds: float | None = None, max_rss_bytes: int | None = None
) -> AttemptEnd:
    """A wait status as the end of an attempt, with a line for a person where the number alone says little."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return AttemptEnd(
            Outcome.EXITED,
            exit_code=code,
            message=_exit_hint(code),
            cpu_seconds=cpu_seconds,
            max_rss_bytes=max_rss_bytes,
        )
    name, hint = signal_name(-code), _SIGNAL_HINTS.get(-code)
    return AttemptEnd(
        Outcome.SIGNALLED,
        signal=name,
        message=f"killed by {name}: {hint}" if hint else f"killed by {name}",
        cpu_seconds=cpu_seconds,
        max_rss_bytes=max_rss_bytes,
    )


def signal_name(number: int) -> str:
    """SIGKILL for 9; SIGRTMIN+n for those without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _exit_hint(code: int) -> str | None:
    """What a shell means by its exit code (bash(1), EXIT STATUS)."""
    if code == 126:
        return "a command was found but could not be executed"
    if code == 127:
        return "a command was not found"
    if 128 < code < 128 + signal.NSIG:
        return f"exit code {code}: perhaps a command in it was ended by {signal_name(code - 128)}"
    return None


def _enter(cwd: str) -> None:
    """Go where the process shall start: it inherits the folder. Raises OSError naming it as the task's cwd."""
    try:
        os.chdir(cwd)
    except FileNotFoundError:
        raise OSError(errno.ENOENT, f"no such directory: {cwd} (cwd)") from None
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {cwd} (cwd)") from None


def _is_ignored(signum: int) -> bool:
    return signal.getsignal(signum) is signal.SIG_IGN
