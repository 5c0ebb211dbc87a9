"""What holds for every test: which may be skipped, and that none is where all were promised."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# Machines differ in speed: an example that takes long is no defect. `thorough` is for a long search by hand.
settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Whoever starts the tests may ignore signals (a shell's `&`, nohup), and that is inherited by every child; the tests
# of signals need what a terminal gives.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs an Oracle database when none is given."""
    if os.environ.get("MFLOW_TEST_ORACLE"):
        return
    skip = pytest.mark.skip(reason="no Oracle database: MFLOW_TEST_ORACLE is not set")
    for item in items:
        if item.get_closest_marker("oracle"):
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With MFLOW_TEST_FORBID_SKIPS a skipped test is a failed one: what it needs was promised."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    _forbid_skip(report)
    return report


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and os.environ.get("MFLOW_TEST_FORBID_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where no test may be: {report.longrepr}"
