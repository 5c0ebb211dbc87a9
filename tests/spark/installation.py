"""Spark as PyPI ships it, a Java driver class compiled against it, and a standalone cluster on 127.0.0.1."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60.0


def spark_home() -> Path | None:
    """SPARK_HOME, else the pyspark of this interpreter."""
    if given := os.environ.get("SPARK_HOME"):
        return Path(given)
    spec = importlib.util.find_spec("pyspark")
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def what_is_missing() -> str | None:
    """Why no Spark can run here, or None if it can."""
    home = spark_home()
    if home is None or not (home / "bin" / "spark-submit").is_file():
        return "no Spark: neither SPARK_HOME nor pyspark is here"
    missing = [name for name in ("java", "javac") if shutil.which(name) is None]
    return f"no {' and no '.join(missing)} in the PATH" if missing else None


def spark_environ(home: Path) -> dict[str, str]:
    """The environment to run Spark in: nothing leaves this host."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    ours = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        # A dozen short JVMs on few cores: less compiling, less collecting.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    return {**plain, **ours}


def compile_driver(home: Path, source: Path, folder: Path) -> Path:
    """A jar with the class of a source file, compiled against Spark's own jars."""
    classes = folder / "classes"
    subprocess.run(["javac", "-cp", f"{home}/jars/*", "-d", classes, source], check=True)
    jar = folder / f"{source.stem}.jar"
    shutil.make_archive(str(jar.with_suffix("")), "zip", classes)
    return jar.with_suffix(".zip").rename(jar)


@dataclass(frozen=True, slots=True)
class Master:
    """A standalone master with one worker."""

    port: int
    rest_port: int
    page_port: int

    @property
    def url(self) -> str:
        """For the key `master`."""
        return f"spark://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        """The same for submissions by REST."""
        return f"spark://127.0.0.1:{self.rest_port}"

    @property
    def keys(self) -> dict[str, Any]:
        """What a task says to find this master, whose ports are not Spark's defaults."""
        return {
            "master": self.url,
            "master-rest": f"127.0.0.1:{self.rest_port}",
            "master-ui": f"http://127.0.0.1:{self.page_port}",
        }

    def state(self) -> dict[str, Any]:
        """What the master's page tells."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page_port}/json/", timeout=10) as reply:
            told: dict[str, Any] = json.load(reply)
        return told

    def drivers(self) -> dict[str, str]:
        """All drivers, ever, and their states."""
        told = self.state()
        return {each["id"]: each["state"] for each in told["activedrivers"] + told["completeddrivers"]}

    def active_applications(self) -> list[str]:
        """Names of applications that have not ended."""
        return [each["name"] for each in self.state()["activeapps"]]

    def applications(self) -> list[str]:
        """Names of all applications, ever."""
        told = self.state()
        return [each["name"] for each in told["activeapps"] + told["completedapps"]]


@contextmanager
def standalone_cluster(home: Path, folder: Path) -> Iterator[Master]:
    """A master and a worker, both ended with all they started when it is over."""
    master = Master(*_free_ports(3))
    options = f"-Dspark.master.rest.enabled=true -Dspark.master.rest.port={master.rest_port}"
    environ = {
        **spark_environ(home),
        "SPARK_MASTER_OPTS": options,
        "SPARK_WORKER_OPTS": "-Dspark.worker.ui.port=0",
    }
    with (
        _daemon(
            home,
            environ,
            folder / "master.log",
            "org.apache.spark.deploy.master.Master",
            *("--host", "127.0.0.1", "--port", str(master.port), "--webui-port", str(master.page_port)),
        ),
        _daemon(
            home,
            environ,
            folder / "worker.log",
            "org.apache.spark.deploy.worker.Worker",
            *(
                "--host",
                "127.0.0.1",
                "--webui-port",
                "0",
                "-c",
                "4",
                "-m",
                "3g",
                "-d",
                str(folder / "work"),
                master.url,
            ),
        ),
    ):
        _await(lambda: master.state()["aliveworkers"] == 1, folder)
        yield master


@contextmanager
def _daemon(home: Path, environ: Mapping[str, str], log: Path, main: str, *arguments: str) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [home / "bin" / "spark-class", main, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(is_so: Any, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            if is_so():
                return
        except OSError:
            pass
        if time.monotonic() > until:
            logs = "\n".join(each.read_text() for each in folder.glob("*.log"))
            raise AssertionError(f"the cluster did not start:\n{logs}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
