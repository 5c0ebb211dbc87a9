"""A folder with mflow at work in it, cleared of every process afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty folder to run mflow in, and to kill it in."""
    site = Site(tmp_path)
    yield site
    site.close()
