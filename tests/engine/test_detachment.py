"""A worker's defect leaves a trace, since a worker has no stderr."""

from pathlib import Path

import pytest

from mflow.engine.detachment import CRASHED, leave_traceback


def test_a_traceback_is_left_in_the_runs_fallback_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("a defect")
    assert leave_traceback(caught.value, str(tmp_path / "fallback")) == CRASHED
    (file,) = (tmp_path / "fallback").iterdir()
    assert file.name.startswith("worker-")
    assert "RuntimeError: a defect" in file.read_text()


def test_where_it_cannot_be_left_the_exit_code_still_tells(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert leave_traceback(RuntimeError("a defect"), str(tmp_path / "file" / "fallback")) == CRASHED
