"""What is hidden, what is not, and that a run still gets its secrets back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.embedded_secrets import MASK, is_reference, parts
from mflow.core.model import Definition, Task
from mflow.core.secrets import (
    definition_secrets,
    hides_secrets,
    looks_secret,
    mask,
    masked_definition,
    password_in_command,
    url_for_tasks,
    url_without_password,
    with_secrets,
)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "PGPASSWORD",
        "dbPasswd",
        "spark.ssl.keyPassword",
        "spark.hadoop.fs.s3a.access.key",
        "spark.authenticate.secret",
        "API_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "apikey",
        "sslKey",
        "MYSQL_PWD",
        "DBPASS",
        "DB_PASS",
        "dbPass",
        "PGPASS",
        "DBPW",
        "db_pw",
        "ORAPWD",
        "ROOT_PASSWD",
        "DBPASS2",
    ],
)
def test_keys_of_secrets(key: str) -> None:
    assert looks_secret(key)


OTHERS = ["PWD", "OLDPWD", "BYPASS", "PASSED", "PASSENGERS", "passive", "SSH_ASKPASS", "PWDX", "COMPASSES"]


@pytest.mark.parametrize(
    "key", ["PATH", "spark.yarn.keytab", "MONKEY", "keyboard", "HOME", "COMPASS", "", *OTHERS]
)
def test_keys_of_other_things(key: str) -> None:
    assert not looks_secret(key)


def test_masking_takes_the_longest_first_and_leaves_short_words_alone() -> None:
    assert (
        mask("login hunter2 / hunter22, id 7", ["hunter2", "hunter22", "7", ""])
        == f"login {MASK} / {MASK}, id 7"
    )


@given(st.text(), st.lists(st.text(min_size=4)))
def test_a_masked_text_holds_no_secret(text: str, secrets: list[str]) -> None:
    masked = mask(text, secrets)
    assert all(secret not in masked.split(MASK) for secret in secrets)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("oracle+oracledb://scott:tiger@db:1521/x", f"oracle+oracledb://scott:{MASK}@db:1521/x"),
        ("sqlite:////var/lib/mflow.db", "sqlite:////var/lib/mflow.db"),
        ("oracle://scott@db/x", "oracle://scott@db/x"),
        ("postgresql://u:@h/x", f"postgresql://u:{MASK}@h/x"),
        ("oracle://u:ti/g?er#@h/x", f"oracle://u:{MASK}@h/x"),
        ("oracle://u:ti@ger@h/x", f"oracle://u:{MASK}@h/x"),
        ("oracle://u@h/?schema=s&wallet_password=w", f"oracle://u@h/?schema=s&wallet_password={MASK}"),
        ("sqlite:////a:b@c/mflow.db?timeout=5", "sqlite:////a:b@c/mflow.db?timeout=5"),
        ("scott/tiger@db/x", f"{MASK}@db/x"),
        ("oracle+oracledb://scott:tiger", f"oracle+oracledb://scott:{MASK}"),
        ("oracle+oracledb://scott:tiger/db", f"oracle+oracledb://scott:{MASK}"),
        ("oracle+oracledb://db:1521/x", "oracle+oracledb://db:1521/x"),
        ("oracle+oracledb://db:1521", "oracle+oracledb://db:1521"),
        ("oracle+oracledb://[::1]:1521/x", "oracle+oracledb://[::1]:1521/x"),
    ],
)
def test_urls_are_shown_without_password(url: str, shown: str) -> None:
    assert url_without_password(url) == shown


@pytest.mark.parametrize(
    ("url", "inherited"),
    [
        ("oracle://scott:ti/ger@db/x?schema=s", "oracle://scott@db/x?schema=s"),
        ("oracle://scott@db/?wallet_password=w", "oracle://scott@db/"),
        ("oracle://scott@db/?wallet_password=w&schema=s", "oracle://scott@db/?schema=s"),
        ("sqlite:////var/lib/mflow.db", "sqlite:////var/lib/mflow.db"),
    ],
)
def test_tasks_inherit_urls_without_secrets(url: str, inherited: str) -> None:
    assert url_for_tasks(url) == inherited


def test_what_is_only_a_reference() -> None:
    assert is_reference("${NAME}")
    assert is_reference("$NAME")
    assert not is_reference("x${NAME}")
    assert not is_reference("pa$$word")


SPARK = Task(
    "a",
    "spark",
    env=(("TOKEN", "t0p"), ("OTHER", "x"), ("KEY", "$KEY")),
    options={"confs": [["spark.my.password", "hunter2"], ["spark.ui.port", "1"]], "name": "n"},
)
ORACLE = Task(
    "b", "oracle", options={"command": "begin x(:secret, :n); end;", "binds": {"secret": "s3cret", "n": 5}}
)
PLAIN = Task("c", "bash", options={"command": "true"})
DEFINITION = Definition((SPARK, ORACLE, PLAIN), "/t", "/")


def test_a_definition_is_kept_without_its_secrets() -> None:
    spark, oracle, plain = masked_definition(DEFINITION).tasks
    assert spark.env == (("TOKEN", MASK), ("OTHER", "x"), ("KEY", "$KEY"))
    assert spark.options["confs"] == [["spark.my.password", MASK], ["spark.ui.port", "1"]]
    assert oracle.options["binds"] == {"secret": MASK, "n": 5}
    assert plain is PLAIN
    assert [hides_secrets(task) for task in (spark, oracle, plain)] == [True, True, False]
    assert definition_secrets(DEFINITION) == {"t0p", "hunter2", "s3cret"}


def test_without_secrets_it_is_kept_as_it_is() -> None:
    definition = Definition((PLAIN,), "/t", "/")
    assert masked_definition(definition) is definition


def test_the_secrets_come_back_from_the_file() -> None:
    assert with_secrets(masked_definition(DEFINITION), DEFINITION.tasks) == (DEFINITION, ())


def test_a_secret_that_is_no_longer_in_the_file_is_missed() -> None:
    edited = [replace(SPARK, env=()), PLAIN]
    _, missing = with_secrets(masked_definition(DEFINITION), edited)
    assert missing == ("a", "b")


@pytest.mark.parametrize(
    "command",
    [
        "sqlplus scott/tiger@db @load.sql",
        "sqlplus -S 'scott/tiger@db' <<EOF",
        "cd /x && sqlldr userid=scott/tiger@db control=a.ctl",
        "mysql -u root -phunter2 shop",
        "mysqldump -phunter2 shop > x",
        "curl -u me:hunter2 https://host/x",
        "curl --user=me:hunter2 https://host/x",
        "load --password=hunter2",
        "load --token hunter2",
        "PGPASSWORD=hunter2 psql",
        "wget ftp://me:hunter2@host/file",
    ],
)
def test_commands_that_show_a_password(command: str) -> None:
    assert password_in_command(command)


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "sqlplus /@wallet @load.sql",
        "sqlplus -S /nolog @load.sql",
        'sqlplus "$DB_USER/$DB_PASSWORD@db" @load.sql',
        "cat /data/in/x@y",
        "mysql --defaults-file=my.cnf -p$PW",
        "curl -u me:$PW https://host/x",
        "curl https://host/x -p",
        'load --password="$PW"',
        "load --password --verbose",
        "load --password-file=/x",
        "PGPASSWORD=$(cat /run/pw) psql",
        "python export/run.py import@x",
    ],
)
def test_commands_that_show_none(command: str) -> None:
    assert password_in_command(command) is None


# ------------------------------------------------------------------------------- inside of longer values


@pytest.mark.parametrize(
    ("value", "passwords"),
    [
        ("postgres://u:pw@h/d", ["pw"]),
        ("postgres://u:p/w#?@h/d?x=1", ["p/w#?"]),
        ("postgres://u:p@w@h/d", ["p@w"]),
        ("redis://:pw@h:6379/0", ["pw"]),
        ("jdbc:oracle:thin:scott/tiger@//db:1521/x", ["tiger"]),
        ("jdbc:postgresql://h/d?user=u&password=pw&ssl=true", ["pw"]),
        ("jdbc:sqlserver://h:1433;user=u;password=pw;encrypt=true", ["pw"]),
        ("host=h user=u password='p w' dbname=d", ["'p w'"]),
        ("-Xmx1g -Djavax.net.ssl.keyStorePassword=changeit -Dx=y", ["changeit"]),
        ("amqp://u:one@a/,amqp://u:two@b/", ["one", "two"]),
        ("https://u:${PW}@h/", ["${PW}"]),
        ("mongodb+srv://u:p%40w@h", ["p%40w"]),
        ("scott/tiger@db", ["tiger"]),
        ("scott/tiger@//h:1521/s", ["tiger"]),
        ("scott/tiger@10.1.2.3:1521/s", ["tiger"]),
        ('scott/"ti/g er"@db', ['"ti/g er"']),
        ("userid=scott/tiger@db.example.com", ["tiger"]),
        ("load scott/tiger@(DESCRIPTION=(x=1)) now", ["tiger"]),
        ("$U/${PW}@db", ["${PW}"]),
        ("thin:u/pw@//h", ["pw"]),
        ('{"user": "u", "password": "x", "n": 1}', ["x"]),
        ('{"db_password":"a\\"b","apiKey": "k"}', ['a\\"b', "k"]),
        ('"{\\"password\\": \\"x\\"}"', ["x"]),
        ("{'token': 'x'}", ["x"]),
        ("Authorization: Bearer xyz", ["xyz"]),
        ("Authorization: Basic eHl6", ["eHl6"]),
        ("Bearer x.y-z", ["x.y-z"]),
        ('{"Authorization": "Bearer xyz"}', ["xyz"]),
        ("https://token@host/x", ["token"]),
        ("git+https://ghp_abc@github.com/x/y", ["ghp_abc"]),
        ("-s -u admin:pw -k", ["pw"]),
        ("--user=admin:pw https://h/", ["pw"]),
        ("--db x --db-password pw -v", ["pw"]),
        ("", []),
        ("--password-file /x -u 1000:1000 --token --verbose", []),
        ("-u www", []),
        ("image@sha256:abc", []),
        ("registry.io/team/image@sha256:abc", []),
        ("team/image@sha256:abc", []),
        ("actions/checkout@v4", []),
        ("npm/left-pad@1.3.0", []),
        ("@scope/pkg@1.0.0-rc.1", []),
        ("ana@example.com, bob@example.com", []),
        ("/data/in/x@y", []),
        ("data/in/x@y", []),
        ("/home/ana/a@b.csv", []),
        ("ssh://git@host/x", []),
        ("the bearer of it", []),
        ('{"tokens": 5, "passed": "yes", "compass": "n"}', []),
        ("http://host:8080/a@b", []),
        ("http://[::1]:8080/a@b", []),
        ("https://host/path?tokens=5", []),
        ("/data/in/x@y:1", []),
        ("registry/image@sha256:abc", []),
        ("PATH=/bin:/usr/bin", []),
        ("oracle://scott@db/x", []),
    ],
)
def test_passwords_inside_of_values(value: str, passwords: list[str]) -> None:
    assert parts(value) == passwords


URLS = Task(
    "u",
    "spark",
    env=(("DSN", "postgres://u:pw99@h/d"), ("REF", "postgres://u:${PW}@h/d"), ("DSN", "redis://:redispw@h")),
    options={
        "confs": [["spark.app.url", "jdbc:oracle:thin:u/confpw@//h/x"], ["spark.ui.port", "1"]],
        "parameters": ["--dsn", "http://u:parampw@h/", "--password", "plainpw", "--verbose", "pw=5"],
        "repositories": "https://u:repopw@h/maven",
    },
)
BINDS = Task("b", "oracle", options={"command": "x", "binds": {"url": "http://u:bindpw@h/", "n": 5}})


def test_passwords_in_urls_are_not_kept_and_come_back() -> None:
    definition = Definition((URLS, BINDS), "/t", "/")
    kept = masked_definition(definition)
    found = {"pw99", "redispw", "confpw", "parampw", "plainpw", "repopw", "bindpw"}
    assert definition_secrets(definition) == found
    assert not any(secret in repr(kept) for secret in found)
    assert kept.tasks[0].env == (
        ("DSN", f"postgres://u:{MASK}@h/d"),
        ("REF", "postgres://u:${PW}@h/d"),
        ("DSN", f"redis://:{MASK}@h"),
    )
    assert [hides_secrets(task) for task in kept.tasks] == [True, True]
    assert with_secrets(kept, definition.tasks) == (definition, ())
    assert masked_definition(kept) == kept


def test_a_password_comes_back_though_its_url_was_edited() -> None:
    definition = Definition((Task("u", "bash", env=(("DSN", "pg://u:old@old-host/d"),)),), "/t", "/")
    edited = [Task("u", "bash", env=(("DSN", "pg://u:new@new-host/d"),))]
    filled, missing = with_secrets(masked_definition(definition), edited)
    assert (filled.tasks[0].env, missing) == ((("DSN", "pg://u:new@old-host/d"),), ())
    _, missing = with_secrets(masked_definition(definition), [Task("u", "bash", env=(("DSN", "x"),))])
    assert missing == ("u",)


def test_what_a_reference_stands_for_is_a_secret_too() -> None:
    task = Task("a", "bash", env=(("TOKEN", "${T}"), ("DSN", "pg://u:$PW@h/"), ("X", "${Y}")))
    environ = {"T": "t0ken", "PW": "passw0rd", "Y": "seen"}
    assert definition_secrets(Definition((task,), "/t", "/"), environ) == {"t0ken", "passw0rd"}


def test_a_password_in_a_command_is_masked_in_what_is_written_of_it() -> None:
    task = Task("a", "bash", options={"command": "psql postgres://u:hunter2@h/d"})
    assert definition_secrets(Definition((task,), "/t", "/")) == {"hunter2"}


def test_a_password_is_masked_with_and_without_the_signs_of_a_url() -> None:
    secrets = definition_secrets(
        Definition((Task("a", "bash", env=(("D", "pg://u:p%40ssw@h/"),)),), "/t", "/")
    )
    assert mask("p%40ssw and p@ssw", secrets) == f"{MASK} and {MASK}"


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQEF\nab\n"
    assert mask("it holds MIIEvQIBADANBg", [key]) == f"it holds {MASK}"
    assert mask("> kqhkiG9w0BAQEF ab", [key]) == f"> {MASK} ab"
    assert mask(f"all: {key}", [key]) == f"all: {MASK}"


WORDS = "scott / tiger @ db : // = https:// Bearer Authorization: -u --password password token \" ' { } \\ , ; $PW ***"
PIECES = st.sampled_from([*WORDS.split(), " "])


@given(st.lists(PIECES, max_size=12).map("".join))
def test_masking_what_looks_like_logins_twice_is_masking_it_once(value: str) -> None:
    test_masking_a_value_twice_is_masking_it_once.hypothesis.inner_test("A", value)  # type: ignore[attr-defined]


@given(st.text(), st.text())
def test_masking_a_value_twice_is_masking_it_once(key: str, value: str) -> None:
    definition = Definition((Task("a", "bash", env=((key, value),)),), "/t", "/")
    kept = masked_definition(definition)
    assert masked_definition(kept) == kept
    assert with_secrets(kept, definition.tasks)[0] == definition or MASK in value


@pytest.mark.parametrize(
    "value", [[["", ""], [""]], ["a", 1], [["a", "b"], "c"], [[1, "b"]], [["a", "b", "c"]], []]
)
def test_options_of_any_shape_are_left_alone(value: object) -> None:
    definition = Definition((Task("a", "own", env=(("PW", "x"),), options={"x": value, "y": 1}),), "/t", "/")
    assert masked_definition(definition).tasks[0].options == {"x": value, "y": 1}
