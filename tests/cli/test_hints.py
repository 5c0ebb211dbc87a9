"""The commands a person is told to type."""

from mflow.cli.hints import Commands


def test_commands_are_quoted_for_a_shell() -> None:
    assert Commands().of("logs", 7, "my task") == "mflow logs 7 'my task'"


def test_the_options_that_lead_to_the_database_come_along() -> None:
    assert Commands(("--database", "sqlite:///a b.db")).of("resume", 7) == (
        "mflow resume --database 'sqlite:///a b.db' 7"
    )


def test_an_id_that_looks_like_an_option_is_fenced() -> None:
    assert Commands().of("logs", 7, "-x") == "mflow logs -- 7 -x"
