"""File names of attempts: safe, and never the same for two."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.names import attempt_token, last_attempts, log_name, logged_attempts, strange_logs

# Ids that are likely to meet: plain ones, such that look like changed ones, and anything at all.
IDS = st.one_of(
    st.text(min_size=1, max_size=300),
    st.text(alphabet="aA.-_~ /ñ0", min_size=1, max_size=8),
    st.text(alphabet="ab", min_size=110, max_size=130),
    st.text(min_size=1, max_size=6).map(lambda text: log_name(text, 1).removesuffix(".1.log")),
)
ATTEMPTS = st.integers(1, 10**9)


def test_a_plain_id_is_kept() -> None:
    assert log_name("Extract_2024-01.csv", 3) == "Extract_2024-01.csv.3.log"


def test_an_id_that_is_no_file_name_stays_readable() -> None:
    assert re.fullmatch(r"carga_diaria_Espana~[0-9a-f]{20}\.1\.log", log_name("carga diaria/España", 1))


def test_ids_that_differ_in_case_or_blanks_only() -> None:
    names = {log_name(task_id, 1) for task_id in ("load", "Load", "load ", " load", "lo ad", "lo  ad")}
    assert len(names) == 6


def test_ids_that_would_leave_the_folder() -> None:
    for task_id in ("..", ".", "../../etc/passwd", "/etc/passwd", "-rf", ".hidden", "a\0b", "a\nb"):
        name = log_name(task_id, 1)
        assert re.fullmatch(r"[A-Za-z0-9_.~-]+", name), name
        assert name[0] not in ".-"


@given(IDS, ATTEMPTS, IDS, ATTEMPTS)
def test_different_attempts_have_different_names(a: str, m: int, b: str, n: int) -> None:
    assert (log_name(a, m) == log_name(b, n)) == ((a, m) == (b, n))


@given(IDS, ATTEMPTS)
def test_every_name_is_safe(task_id: str, attempt: int) -> None:
    name = log_name(task_id, attempt)
    assert re.fullmatch(r"[A-Za-z0-9_~][A-Za-z0-9_.~-]*\.log", name)
    assert len(name.removesuffix(".log") + ".outcome.new") <= 143


@given(st.lists(st.tuples(IDS, st.integers(1, 999))))
def test_the_last_attempt_is_found_among_the_files(made: list[tuple[str, int]]) -> None:
    files = ["mflow.log", "b.log", *(log_name(task_id, attempt) for task_id, attempt in made)]
    last = {task_id: max(n for one, n in made if one == task_id) for task_id, _ in made}
    assert last_attempts([*last, "never run"], files) == last


def test_lone_surrogates_are_ids_too() -> None:
    assert log_name("\ud800", 1) != log_name("\ud801", 1)


def test_a_token_is_one_word() -> None:
    assert attempt_token("ab" * 16, 12, 3) == "abababababababababababababababab:12:3"


def test_logs_of_tasks_that_are_known_and_of_others() -> None:
    files = [log_name("a", 1), log_name("a", 3), log_name("b/c", 2), "mflow.log", "a.1.outcome"]
    assert logged_attempts("a", files) == [1, 3]
    assert logged_attempts("b/c", files) == [2]
    assert logged_attempts("c", files) == []
    assert strange_logs([log_name("b/c", 1)], files) == [("a", 3)]
    assert strange_logs([log_name("a", 1)], files) == [(log_name("b/c", 2).removesuffix(".2.log"), 2)]
