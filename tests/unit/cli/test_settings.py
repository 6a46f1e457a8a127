"""Settings by option, environment, configuration file and default; none of it needs a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dealdb import ConfigError
from dealdb.cli.main import main
from dealdb.cli.output.streams import Output
from dealdb.cli.session import session_from
from dealdb.cli.settings import KEYS

URL = "redis://db.example/2"
Write = Callable[[str], dict[str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Write:
    """Writes a configuration file; gives the environment that names its folder."""

    def write(text: str) -> dict[str, str]:
        folder = tmp_path / "settings"
        (folder / "dealdb").mkdir(parents=True, exist_ok=True)
        (folder / "dealdb" / "config.toml").write_text(text)
        return {"XDG_CONFIG_HOME": str(folder)}

    return write


# a setting's text in the environment, its TOML, and its value
GIVEN: dict[str, tuple[str, str, Any]] = {
    "db": ("5", "5", 5),
    "collection": ("lead", '"lead"', "lead"),
    "partitions": ("4", "4", 4),
    "actor": ("job", '"job"', "job"),
    "max_connections": ("4", "4", 4),
    "pool_timeout_s": ("1.5", "1.5", 1.5),
    "socket_timeout_s": ("2", "2", 2),
    "retry_deadline_s": ("0.5", "0.5", 0.5),
    "cache": ("off", '"off"', False),
    "cache_mb": ("64", "64", 64),
    "durability": ("disk", '"disk"', "disk"),
    "linger_s": ("0", "0", 0),
    "allow_eviction": ("on", "true", True),
    "sql_timeout_s": ("5", "5", 5),
    "sql_memory_mb": ("512", "512", 512),
    "sql_isolated": ("off", "false", False),
}


def test_every_setting_is_in_the_cases() -> None:
    assert {*GIVEN, "url", "password_file"} == set(KEYS)


@pytest.mark.parametrize("name", GIVEN)
def test_option_environment_file_default_in_this_order(name: str, config: Write) -> None:
    _text, toml, value = GIVEN[name]
    file = config(f"{name} = {toml}\n")
    path = str(Path(file["XDG_CONFIG_HOME"], "dealdb", "config.toml"))
    other = "7" if isinstance(value, int | float) else "other"
    other = {"cache": "/other", "durability": "replicated"}.get(name, other)
    other = {"cache": "/other", "allow_eviction": "off", "sql_isolated": "on"}.get(name, other)
    environment_value = {"off": "False", "on": "True"}.get(other, other)
    assert name not in session_from({}, {}).options
    assert session_from({}, {}).sources[name] == "default"
    from_file = session_from({}, file)
    assert (from_file.options[name], from_file.sources[name]) == (value, path)
    variable = f"DEALDB_{name.upper()}"
    environment = session_from({}, {**file, variable: other})
    assert (str(environment.options[name]).removesuffix(".0"), environment.sources[name]) == (
        environment_value,
        variable,
    )
    if name in ("db", "collection"):
        option = session_from({name: value}, {**file, variable: other})
        assert (option.options[name], option.sources[name]) == (value, f"--{name}")


def test_without_settings_the_embedded_server_is_used() -> None:
    for environment in ({}, {"DEALDB_URL": "", "DEALDB_PASSWORD": "", "DEALDB_CONFIG": ""}):
        session = session_from({}, environment)
        assert (session.url, session.password, session.output) == (None, None, Output.TABLE)
        assert (session.options, set(session.sources.values())) == ({}, {"default"})


@pytest.mark.parametrize(
    ("options", "environment", "db", "source"),
    [
        ({"url": URL}, {"DEALDB_DB": "5"}, None, "--url"),
        ({"url": URL, "db": 5}, {}, 5, "--db"),
        ({}, {"DEALDB_URL": URL, "DEALDB_DB": "5"}, 5, "DEALDB_DB"),
        ({"url": "redis://db.example"}, {"DEALDB_DB": "5"}, 5, "DEALDB_DB"),
        ({"url": "unix:///s?db=2"}, {"DEALDB_DB": "5"}, None, "--url"),
        ({"url": "unix:///s"}, {"DEALDB_DB": "5"}, 5, "DEALDB_DB"),
    ],
)
def test_what_a_url_says_counts_like_the_url(
    options: dict[str, Any], environment: dict[str, str], db: int | None, source: str
) -> None:
    session = session_from(options, environment)
    assert (session.options.get("db"), session.sources["db"]) == (db, source)
    with session.open() as database:
        assert database.connection.settings.db == (2 if db is None else db)


def test_the_file_gives_url_and_password(config: Write, tmp_path: Path) -> None:
    environment = config(f'url = "{URL}"\npassword_file = "secret"\n')
    folder = Path(environment["XDG_CONFIG_HOME"], "dealdb")
    (folder / "secret").write_text("s3cret\n")
    session = session_from({}, environment)
    assert (session.url, session.password) == (URL, "s3cret")
    assert "s3cret" not in repr(session)
    # it was meant for the server that stands beside it
    assert session_from({"url": "redis://other"}, environment).password is None
    assert session_from({}, {**environment, "DEALDB_URL": "redis://other"}).password is None
    assert session_from({}, {**environment, "DEALDB_PASSWORD": "nearer"}).password == "nearer"
    mine = tmp_path / "mine"
    mine.write_text("in file")
    given = session_from({"url": URL}, {"DEALDB_PASSWORD_FILE": str(mine)})
    assert (given.password, given.sources["password_file"]) == ("in file", "DEALDB_PASSWORD_FILE")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            "colection = 'x'",
            "there is no setting 'colection'; the settings are url, db, collection,",
        ),
        ("password = 's3cret'", "write it to a file of its own, and name that; the settings"),
        ("[server]\nurl = 'x'", "there is no setting 'server'"),
        ("max_connections = 'ten'", "max_connections must be a whole number: got 'ten'"),
        ("max_connections = true", "max_connections must be a whole number: got 'True'"),
        ("db = 1.5", "db must be a whole number: got '1.5'"),
        ("cache = 'here'", "cache must be on, off or the full path of a folder: got 'here'"),
        ("cache = true", "cache must be on, off or the full path of a folder: got 'True'"),
        ("url = ", "config.toml: "),
        ("url = 'redis://x'\npassword_file = 'nowhere'", "No such file or directory"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(toml: str, message: str, config: Write) -> None:
    with pytest.raises(ConfigError) as refused:
        session_from({}, config(toml))
    assert message in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "config.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"DEALDB_DB": "one"}, "DEALDB_DB must be a whole number: got 'one'"),
        (
            {"DEALDB_POOL_TIMEOUT_S": "x"},
            "DEALDB_POOL_TIMEOUT_S must be a number of seconds: got 'x'",
        ),
        ({"DEALDB_CONFIG": "/no/where"}, "DEALDB_CONFIG='/no/where': there is no such file"),
        ({"DEALDB_URL": URL, "DEALDB_PASSWORD_FILE": "/dev/null"}, "it is empty"),
    ],
)
def test_a_variable_that_can_not_be_used_is_refused(
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["find"]) == 2
    assert message in capsys.readouterr().err


def test_a_variable_names_another_file(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text('collection = "lead"\n')
    assert session_from({}, {"DEALDB_CONFIG": str(file)}).collection_name == "lead"


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("redis://db.example/1", True),
        ("redis://10.0.0.1", True),
        ("redis://localhost.evil", True),
        ("rediss://db.example", False),
        ("redis://localhost", False),
        ("redis://127.0.0.1:7000", False),
        ("redis://[::1]:7000", False),
        ("unix:///run/redis.sock", False),
        ("redis://:other@db.example", False),
    ],
)
def test_a_password_meant_for_another_server_is_warned_of(
    url: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    session_from({"url": url}, {"DEALDB_PASSWORD": "s3cret", "DEALDB_CONFIG": ""})
    said = capsys.readouterr().err
    assert ("DEALDB_PASSWORD goes to the host of --url" in said) is warned
    assert "s3cret" not in said
    session_from({}, {"DEALDB_URL": url, "DEALDB_PASSWORD": "s3cret", "DEALDB_CONFIG": ""})
    assert capsys.readouterr().err == ""


def test_files_that_hold_the_password_are_known(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("s3cret\n")
    file = tmp_path / "config.toml"
    file.write_text('url = "redis://db.example"\npassword_file = "p"\n')
    environment = {"DEALDB_CONFIG": str(file)}
    assert session_from({}, environment).secret_files == (tmp_path / "p",)
    assert session_from({}, environment | {"DEALDB_PASSWORD": "x"}).secret_files == ()
    file.write_text('url = "redis://:s3cret@db.example"\n')
    assert session_from({}, environment).secret_files == (file,)
