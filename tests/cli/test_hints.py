"""The commands a person is told to type."""

import subprocess

import pytest

from mflow.cli.hints import Commands


def test_commands_are_quoted_for_a_shell() -> None:
    assert Commands().of("logs", 7, "my task") == "mflow logs 7 'my task'"


def test_the_options_that_lead_to_the_database_come_along() -> None:
    assert Commands(("--database", "sqlite:///a b.db")).of("resume", 7) == (
        "mflow resume 7 --database 'sqlite:///a b.db'"
    )


def test_an_id_that_looks_like_an_option_is_fenced() -> None:
    assert Commands().of("logs", 7, "-x") == "mflow logs -- 7 -x"
    assert (
        Commands(("--config", "c")).of("logs --follow", 7, "-x") == "mflow logs --follow --config c -- 7 -x"
    )


@pytest.mark.parametrize(
    "id_", ["plain", "a b", "it's", "a\x1b[2J", "two\nlines", "back\\slash\x07'", "\u202egnp"]
)
def test_bash_reads_the_word_that_was_meant(id_: str) -> None:
    written = Commands().of("logs", 7, id_)
    assert written.isprintable()
    read = subprocess.run(
        ["bash", "-c", written.replace("mflow logs 7", "printf %s")],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert read.stdout.decode() == id_
