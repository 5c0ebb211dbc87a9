"""Where the three files are: named by an option, or looked for where the origin looks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

CONFIG, TASKFILE, DATASOURCES = "config.json", "tasks.json", "oracle.json"

HOME_VARIABLE = "MFLOW_HOME"


@dataclass(frozen=True, slots=True)
class Located:
    """A file: its absolute path, and what it is called in messages (as the user would name it)."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Places:
    """The folders in which files are looked for that no option names: the current one, then the others."""

    cwd: str
    others: tuple[str, ...]

    @classmethod
    def of(cls, cwd: str, environ: Mapping[str, str], program: str | None) -> "Places":
        """The current folder, MFLOW_HOME, beside the program as it was invoked and as its links resolve."""
        others = [os.path.join(cwd, home)] if (home := environ.get(HOME_VARIABLE)) else []
        if program:
            invoked = os.path.join(cwd, program)
            others += [os.path.dirname(invoked), os.path.dirname(os.path.realpath(invoked))]
        unique = dict.fromkeys(os.path.normpath(folder) for folder in others)
        return cls(cwd, tuple(folder for folder in unique if folder != os.path.normpath(cwd)))

    def locate(self, option: str | None, name: str) -> Located | None:
        """The file that the option names (it need not exist), else the first one of the default name, or None."""
        return self._find(name) if option is None else self._named(option)

    def _named(self, option: str) -> Located:
        return Located(os.path.normpath(os.path.join(self.cwd, option)), option or '""')

    def _find(self, name: str) -> Located | None:
        if os.path.lexists(os.path.join(self.cwd, name)):
            return Located(os.path.join(self.cwd, name), name)
        paths = (os.path.join(folder, name) for folder in self.others)
        return next((Located(path, path) for path in paths if os.path.lexists(path)), None)

    def __str__(self) -> str:
        return ", ".join((self.cwd, *self.others))
