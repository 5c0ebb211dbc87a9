"""One attempt of a spark task: settle earlier ones, submit, follow, and find out the truth about the end.

::

    thread:  earlier attempts ──over──► identity recorded ──► spark-submit ──its end──► the cluster asked ──► end
                  │still running, in the cluster: adopted ─────────────────────────────────▲
    stop:    client mode: TERM to spark-submit, whose driver goes with it; then the cluster is asked if all is gone
             cluster mode: the application is killed by its id; then TERM to spark-submit

spark-submit's exit code is the truth where the driver runs in it (client mode). Where the driver runs in the cluster it
is not: 0 for a driver that failed on a standalone master, 1 for a YARN that could not be reached. There the cluster's
word counts, and without one the outcome is UNKNOWN.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mflow.core.contracts import Job, Running, StopStep, Workbench
from mflow.core.model import AttemptEnd
from mflow.core.secrets import mask, secret_values, word_secrets
from mflow.tasks.spark import facts
from mflow.tasks.spark.application import Application, Manager, read_application
from mflow.tasks.spark.cluster import Answer, Cluster, Ids, Sought, Status
from mflow.tasks.spark.clusters import cluster_for
from mflow.tasks.spark.command import attempt_tag, private_pairs, shown, submit_arguments
from mflow.tasks.spark.earlier import Settled, settle
from mflow.tasks.spark.errand import Errands
from mflow.tasks.spark.output import LogTail, Sightings
from mflow.tasks.spark.preflight import NO_SUBMIT, refusals, unusable_files
from mflow.tasks.spark.programs import find_submit
from mflow.tasks.spark.properties import write_private
from mflow.tasks.spark.verdict import (
    end_in_client_mode,
    end_in_cluster,
    last_word,
    not_submitted,
    without_id,
)

RECORD_SECONDS = 20.0
"""How long a submission waits until its tag is committed. A database that is away longer does not hold it up."""

SILENCE_SECONDS = 600.0
"""How long a cluster may say nothing before what runs in it counts as UNKNOWN."""

STOP_SECONDS = 45.0
"""The same once the attempt is to end: so long after that at most, it is over or UNKNOWN."""

GONE_SECONDS = 30.0
"""How long a driver that has ended may leave its application behind in the cluster."""

_LOOK_SECONDS = 0.5  # at a log in which an id is awaited
_SLOW_LOOK_SECONDS = 3.0  # at one that has told what it can
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # between two questions to a cluster


class SparkAttempt:
    """A `Running` of `core.contracts`. All that waits is done by one thread of its own."""

    patience_seconds = STOP_SECONDS + 10.0  # see `core.contracts.Remote`

    def __init__(self, job: Job, bench: Workbench) -> None:
        self.pid: int | None = None
        self._job, self._bench = job, bench
        self._environ = dict(bench.environ)
        self._errands = Errands(job.cwd)
        self._tail = LogTail(bench.log_fd)
        self._over = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()  # over the client: signals come from the worker's thread
        self._client: Running | None = None
        self._step: StopStep | None = None
        self._stop_by = 0.0
        self._killed = False
        self._in_cluster = False
        self._private: Path | None = None
        self._cluster: Cluster | None = None
        self._ids = Ids()
        self._submitted_at = 0.0
        self._end: AttemptEnd | None = None
        self._defect: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="spark", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------ the worker's side

    @property
    def sessions(self) -> frozenset[int]:
        """Of commands that help to end it; see `core.contracts.Remote`."""
        return self._errands.sessions

    def fileno(self) -> int:
        """Readable when all is over, the look at the cluster included."""
        return self._over

    def finish(self) -> AttemptEnd:
        """How it ended. Raises what the thread has failed of, if it has."""
        self._thread.join()
        os.close(self._over)
        os.close(self._wake)
        if self._defect is not None:
            raise self._defect
        assert self._end is not None
        return self._end

    def stop(self, step: StopStep) -> None:
        """See `core.contracts`. spark-submit of a driver in the cluster is left to report until INSIST."""
        with self._lock:
            if self._step is None:
                self._stop_by = time.monotonic() + STOP_SECONDS
            self._step = max(step, self._step or step)
            if self._client is not None and (step > StopStep.ASK or not self._in_cluster):
                self._client.stop(step)
        os.eventfd_write(self._wake, 1)

    # ------------------------------------------------------------------------------------------- the thread

    def _work(self) -> None:
        try:
            self._end = self._attempt()
        except BaseException as error:  # noqa: BLE001  (raised again where the worker looks)
            self._defect = error
        finally:
            self._clean_up()
            os.eventfd_write(self._over, 1)

    def _attempt(self) -> AttemptEnd:
        try:
            application = read_application(self._job.options, self._environ, self._job.cwd)
            submit = find_submit(application.submit, application.spark_home, self._environ, self._job.cwd)
        except (OSError, ValueError) as error:
            return not_submitted(f"cannot start: {error}")
        if submit is None:
            return not_submitted(f"cannot start: {NO_SUBMIT}")
        if refused := refusals(application):
            return not_submitted(f"cannot start: {refused[0]}")
        self._in_cluster = application.in_cluster
        self._cluster = cluster_for(application, submit, self._errands, self._environ, self._job.cwd)
        return self._after_earlier_ones(application, submit)

    def _after_earlier_ones(self, application: Application, submit: str) -> AttemptEnd:
        """Nothing is submitted before every attempt that may still run is known to be over."""
        tag = attempt_tag(self._bench.run_uid, self._job.task_no, self._job.attempt)
        earlier = facts.unproven(self._job.previous)
        log = str(Path(f"/proc/self/fd/{self._bench.log_fd}").readlink())
        own = facts.identity(tag, application, log, time.time())
        self._bench.record({**own, facts.EARLIER: earlier}, wait_seconds=RECORD_SECONDS)
        if earlier and self._cluster is not None:
            settled = settle(earlier, self._cluster, self._say, self._rest)
            if settled.end is not None:
                return settled.end
            if settled.running:
                return self._adopt(settled)
        self._bench.record({facts.EARLIER: []})
        return (
            not_submitted("stopped before it was submitted")
            if self._step
            else self._submit(application, submit, tag)
        )

    def _adopt(self, settled: Settled) -> AttemptEnd:
        self._in_cluster = True
        self._know(settled.running)
        self._bench.record({facts.EARLIER: []})
        self._say(f"{self._ids} of an earlier attempt still runs: waiting for it instead of submitting again")
        return end_in_cluster(self._ids, self._await_end(), stopped=self._step is not None)

    def _submit(self, application: Application, submit: str, tag: str) -> AttemptEnd:
        if self._job.behind_others and (problems := unusable_files(application, self._job.cwd)):
            return not_submitted(f"cannot start: {problems[0]}")
        self._submitted_at = time.time()
        environ = dict(self._environ)
        if application.spark_home:
            environ["SPARK_HOME"] = str(Path(self._job.cwd, application.spark_home))
        try:
            private = self._write_private(application)
            command = submit_arguments(submit, application, tag, self._job.task_id, private)
            self._say(f"$ {shown(command, application.confs)}")
            with self._lock:
                self._client = self._bench.spawn(command, env=environ)
                self.pid = self._client.pid
                if self._step and not self._in_cluster:
                    self._client.stop(self._step)
        except (OSError, ValueError) as error:
            return not_submitted(f"cannot start: {getattr(error, 'strerror', None) or error}")
        self._bench.record({facts.PID: self.pid})
        seen = Sightings(in_cluster=self._in_cluster)
        client = self._follow_client(seen)
        end = self._judge(application, tag, seen, client)
        return _masked(end, secret_values(application.confs) | word_secrets(application.parameters))

    def _write_private(self, application: Application) -> str | None:
        """Secrets go into a file of 0600, whose place is recorded so that a later attempt can remove it."""
        pairs = private_pairs(application)
        if not pairs:
            return None
        self._private = write_private(application.base, pairs, str(Path(self._job.log).parent))
        self._bench.record({facts.PRIVATE: str(self._private)})
        return str(self._private)

    # ----------------------------------------------------------------------------- while spark-submit runs

    def _follow_client(self, seen: Sightings) -> AttemptEnd:
        """Read its words until it ends; how it ended."""
        client = self._client
        assert client is not None
        waiting = select.poll()
        for descriptor in (client.fileno(), self._wake):
            waiting.register(descriptor, select.POLLIN)
        while client.fileno() not in [ready for ready, _ in waiting.poll(self._look_milliseconds())]:
            self._heed_wake()
            self._read(seen, self._tail.lines)
            if self._step and self._in_cluster and self._ids and not self._killed:
                self._kill()
                self._end_client_unless_needed()
        with self._lock:
            end = client.finish()
            self._client = None
        self._read(seen, self._tail.last)
        return end

    def _look_milliseconds(self) -> float:
        return 1000 * (_SLOW_LOOK_SECONDS if self._ids else _LOOK_SECONDS)

    def _read(self, seen: Sightings, lines: Callable[[], Iterable[str]]) -> None:
        for line in lines():
            seen.see(line)
        self._know(Ids(seen.driver, seen.application))

    def _know(self, ids: Ids) -> None:
        """Record ids the moment they are seen."""
        if ids != self._ids:
            self._ids = ids
            self._bench.record(facts.of_ids(ids))

    def _end_client_unless_needed(self) -> None:
        """Where nobody else answers, spark-submit may hear of the driver's end, until the worker insists."""
        assert self._cluster is not None
        if self._cluster.ask(self._ids).status is Status.SILENT:
            return
        with self._lock:
            if self._client is not None:
                self._client.stop(StopStep.ASK)

    def _kill(self) -> None:
        assert self._cluster is not None
        self._killed = True
        self._say(self._cluster.kill(self._ids))

    # ---------------------------------------------------------------------------------- after spark-submit

    def _judge(self, application: Application, tag: str, seen: Sightings, client: AttemptEnd) -> AttemptEnd:
        if not application.in_cluster:
            answer = None if client.ok else self._await_gone(tag)
            return end_in_client_mode(client, seen, self._ids, answer)
        if not self._ids:
            return self._judge_without_id(application, tag, seen, client)
        answer = last_word(seen, client) or self._await_end()
        self._say(
            f"{self._ids} is {answer.word or answer.status.value} ({answer.source or 'nobody says so'})"
        )
        end = end_in_cluster(self._ids, answer, stopped=self._step is not None, reason=seen.yarn_reason)
        return end._replace(cpu_seconds=client.cpu_seconds, max_rss_bytes=client.max_rss_bytes)

    def _judge_without_id(
        self, application: Application, tag: str, seen: Sightings, client: AttemptEnd
    ) -> AttemptEnd:
        """Whether anything was submitted is asked under the tag, unless spark-submit's words exclude it."""
        found: tuple[Ids, ...] | None = ()
        if client.ok or (seen.asked and not seen.refused) or not seen.informative:
            sought = Sought(tag, application.options.get("class"), self._submitted_at)
            found = self._cluster.find(sought) if self._cluster else None
        if found and len(found) == 1 and application.manager is Manager.YARN:
            self._know(found[0])
            return end_in_cluster(self._ids, self._await_end(), stopped=self._step is not None)
        return without_id(client, seen, found, application.master)

    def _await_end(self) -> Answer:
        """Ask until the cluster says that it is over, does not know it, or has been silent for too long."""
        assert self._cluster is not None
        heard_at, pause = time.monotonic(), _SHORTEST_PAUSE
        while True:
            if self._step and not self._killed:
                self._kill()
                pause = _SHORTEST_PAUSE
            answer = self._cluster.ask(self._ids)
            now = time.monotonic()
            if answer.status is not Status.SILENT:
                heard_at = now
            if answer.over or answer.status is Status.NOT_KNOWN:
                return answer
            if now - heard_at > self._cluster.patience(SILENCE_SECONDS) or (
                self._step and now > self._stop_by
            ):
                return answer
            self._rest(pause)
            pause = min(pause * 1.5, _SHORTEST_PAUSE * 2 if self._step else _LONGEST_PAUSE)

    def _await_gone(self, tag: str) -> Answer | None:
        """The driver has died here: its application must leave the cluster, too; what is said of it at last."""
        if self._cluster is None:
            return None
        if not self._ids:
            self._find_what_is_left(self._cluster, tag)
        if not self._ids:
            return None
        until = time.monotonic() + GONE_SECONDS
        while True:
            answer = self._cluster.ask(self._ids)
            if answer.status is not Status.ACTIVE:
                return answer
            if not self._killed:
                self._kill()
            if time.monotonic() > until:
                return answer
            self._rest(_SHORTEST_PAUSE * 2)

    def _find_what_is_left(self, cluster: Cluster, tag: str) -> None:
        """A log of few words names no application."""
        for found in cluster.find(Sought(tag, None, self._submitted_at)) or ():
            if cluster.ask(found).status is Status.ACTIVE:
                self._know(found)

    # ------------------------------------------------------------------------------------------ small things

    def _rest(self, seconds: float) -> bool:
        """Wait, or until told to stop; whether it is to stop."""
        select.select([self._wake], [], [], seconds)
        self._heed_wake()
        return self._step is not None

    def _heed_wake(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _say(self, text: str) -> None:
        """One line of mflow's own in the attempt's log."""
        with suppress(OSError):
            os.write(self._bench.log_fd, f"mflow: {text}\n".encode(errors="backslashreplace"))

    def _clean_up(self) -> None:
        self._tail.close()
        if self._private is not None:
            with suppress(OSError):
                self._private.unlink()
        if self._cluster is not None:
            self._cluster.close()


def _masked(end: AttemptEnd, secrets: set[str]) -> AttemptEnd:
    """A message may quote an exception's text, and that a password."""
    return end._replace(message=mask(end.message, secrets)) if end.message and secrets else end
