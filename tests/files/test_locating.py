"""Where default files are looked for."""

from pathlib import Path

from mflow.files.locating import CONFIG, Located, Places


def places(root: Path, program: Path | None = None, home: str | None = None) -> Places:
    environ = {} if home is None else {"MFLOW_HOME": home}
    return Places.of(str(root / "cwd"), environ, None if program is None else str(program))


def make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return str(path)


def test_first_here_then_home_then_beside_the_program(tmp_path: Path) -> None:
    found = [make(tmp_path / folder / CONFIG) for folder in ("cwd", "home", "bin")]
    where = places(tmp_path, tmp_path / "bin/mflow", str(tmp_path / "home"))
    for path in found:
        located = where.locate(None, CONFIG)
        assert located is not None
        assert located.path == path
        Path(path).unlink()
    assert where.locate(None, CONFIG) is None


def test_beside_the_program_as_invoked_and_where_its_link_leads(tmp_path: Path) -> None:
    program = tmp_path / "real/mflow"
    make(program)
    link = tmp_path / "linked/mflow"
    link.parent.mkdir()
    link.symlink_to(program)
    where = places(tmp_path, link)
    assert where.others == (str(link.parent), str(program.parent))
    beside = make(program.parent / CONFIG)
    assert where.locate(None, CONFIG) == Located(beside, beside)


def test_files_are_named_as_the_user_would(tmp_path: Path) -> None:
    here = make(tmp_path / "cwd" / CONFIG)
    where = places(tmp_path)
    assert where.locate(None, CONFIG) == Located(here, CONFIG)
    assert where.locate("../x/my.json", CONFIG) == Located(str(tmp_path / "x/my.json"), "../x/my.json")


def test_a_file_named_by_an_option_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    make(tmp_path / "home/my.json")
    located = places(tmp_path, home=str(tmp_path / "home")).locate("my.json", CONFIG)
    assert located == Located(str(tmp_path / "cwd/my.json"), "my.json")


def test_a_relative_home_is_relative_to_here(tmp_path: Path) -> None:
    assert places(tmp_path, home="conf").others == (str(tmp_path / "cwd/conf"),)
    assert str(places(tmp_path, home="conf")) == f"{tmp_path}/cwd, {tmp_path}/cwd/conf"


def test_an_empty_option_is_named_as_such(tmp_path: Path) -> None:
    located = places(tmp_path).locate("", CONFIG)
    assert located is not None
    assert located.name == '""'
