"""A project folder, and mflow called in it as a user calls it."""

from pathlib import Path

import pytest

from tests.cli.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty folder to run mflow in."""
    return Project(tmp_path)
