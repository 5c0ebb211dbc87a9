"""Every line of the table of `mflow.core.kernels`."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.kernels import difference, was_restarted
from mflow.core.model import Identity

HERE = Identity("batch1", "boot-a", 1, 50, 500, "machine-a")
BEFORE = replace(HERE, boot_id="boot-z", pid=4700)

IDENTITIES = st.builds(
    Identity,
    host=st.sampled_from(["batch1", "batch2"]),
    boot_id=st.sampled_from(["boot-a", "boot-z"]),
    pid_ns=st.sampled_from([1, 2]),
    pid=st.integers(1, 9),
    start_ticks=st.integers(1, 9),
    machine_id=st.sampled_from([None, "machine-a", "machine-b"]),
)


@pytest.mark.parametrize(
    "changes", [{}, {"host": "batch2"}, {"machine_id": None}, {"machine_id": "machine-b"}]
)
def test_a_process_stays_what_it_is_whatever_its_host_is_called(changes: dict[str, str | None]) -> None:
    renamed = replace(HERE, **changes)  # type: ignore[arg-type]
    assert renamed.same_kernel(HERE)
    assert renamed == HERE
    assert hash(renamed) == hash(HERE)
    assert not was_restarted(renamed, HERE)


def test_a_restart_keeps_everything_but_the_boot() -> None:
    assert was_restarted(BEFORE, HERE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine_id": None}, "cannot be told without a machine id of both"),
        ({"machine_id": "machine-b"}, "another machine of the same name (machine id machine- there"),
        ({"pid_ns": 2}, "in a container or pid namespace (2 there, 1 here)"),
        ({"host": "batch2"}, "which cannot be seen from host batch1 (boot boot-z there, boot-a here)"),
        ({"boot_id": "boot-a", "pid_ns": 2}, "in a container or pid namespace (2) that cannot be seen"),
    ],
)
def test_what_differs_in_more_is_elsewhere_and_named(changes: dict[str, object], words: str) -> None:
    other = replace(BEFORE, **changes)  # type: ignore[arg-type]
    assert not other.same_kernel(HERE)
    assert not was_restarted(other, HERE)
    assert words in difference(other, HERE)


def test_without_a_machine_id_of_our_own_nothing_was_restarted() -> None:
    assert not was_restarted(BEFORE, replace(HERE, machine_id=None))
    assert not was_restarted(replace(BEFORE, machine_id=None), replace(HERE, machine_id=None))


@given(IDENTITIES, IDENTITIES)
def test_a_process_is_in_one_place(one: Identity, other: Identity) -> None:
    assert not (one.same_kernel(other) and was_restarted(one, other))
    assert was_restarted(one, other) == was_restarted(other, one)
    if not (one.same_kernel(other) or was_restarted(one, other)):
        assert difference(one, other)


def test_no_two_containers_are_one() -> None:
    for one, other in itertools.combinations((1, 2, 3), 2):
        assert not replace(HERE, pid_ns=one).same_kernel(replace(HERE, pid_ns=other))
