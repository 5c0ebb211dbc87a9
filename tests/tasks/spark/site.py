"""A host with a spark-submit and a yarn that are told what to say and do."""

from pathlib import Path
from typing import Any

from tests.spark.bench import Trial

APP = "application_1473860344791_0001"
ACCEPTED = f"24/11/01 11:51:18 INFO impl.YarnClientImpl: Submitted application {APP}"
REPORTED = (
    f"24/11/01 11:52:19 INFO yarn.Client: Application report for {APP} (state: FINISHED)\n\t final status: "
)

SUBMIT = """#!/bin/bash
echo "$@" >> {site}/submitted
cat {site}/says
[ -e {site}/private ] && for word; do case $word in *.properties) cat "$word" >{site}/private;; esac; done
trap 'exit 143' TERM
while [ -e {site}/wait ]; do sleep 0.02; done
exit $(cat {site}/exit)
"""
YARN = """#!/bin/bash
echo "$@" >> {site}/asked
[ "$2" = -kill ] && [ ! -e {site}/immortal ] && echo KILLED KILLED > {site}/state
read state final < {site}/state
case $2 in
-list) echo "Total number of applications (application-types: [], states: [] and tags: []):0"
       [ "$state" = none ] || printf '%s\\tname\\tSPARK\\n' "{app}";;
-status) printf '\\tState : %s\\n\\tFinal-State : %s\\n' "$state" "$final";;
esac
"""
STATUS, KILL = f"application -status {APP}", f"application -kill {APP}"


class Site:
    """A host with these two programs on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("spark-submit", SUBMIT), ("yarn", YARN)):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text.replace("{site}", str(folder)).replace("{app}", APP))
            program.chmod(0o755)
        self.says()
        self.yarn("none none")

    def says(self, *lines: str, exit_code: int = 0) -> None:
        """What spark-submit will print, and its exit code."""
        (self.folder / "says").write_text("".join(f"{line}\n" for line in lines))
        (self.folder / "exit").write_text(str(exit_code))

    def yarn(self, state: str) -> None:
        """State and final state that yarn knows."""
        (self.folder / "state").write_text(f"{state}\n")

    def waits(self) -> None:
        """spark-submit stays until it is told to end."""
        (self.folder / "wait").touch()

    def lines(self, name: str) -> list[str]:
        """What was submitted, or asked of yarn."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def begin(self, mode: str = "cluster", *, attempt: int = 1, previous: Any = None, **keys: Any) -> Trial:
        """An attempt on YARN."""
        options = {"master": "yarn", "deploy-mode": mode, "ingestor-file": "job.py", **keys}
        environ = {"PATH": f"{self.folder}/bin:/usr/bin:/bin"}
        return Trial(self.folder, options, environ, attempt=attempt, previous=previous)
