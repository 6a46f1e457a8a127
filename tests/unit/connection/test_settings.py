from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from dealdb.connection import RedisConnection, Settings
from dealdb.errors import ConfigError

SECRET = "hunter-2-secret"


@pytest.mark.parametrize("db", [-1, 16, 1.0, "0", None, True])
def test_db_out_of_range_or_of_a_wrong_type(db: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConnection().connect(db=db)
    assert str(caught.value) == f"Redis database must be between 0 and 15: got {db!r}"
    assert isinstance(caught.value, ValueError)


def test_bound_of_db_follows_databases() -> None:
    assert Settings(db=31, databases=32).db == 31
    with pytest.raises(ConfigError, match=r"^Redis database must be between 0 and 31: got 32$"):
        Settings(db=32, databases=32)
    with pytest.raises(ConfigError, match=r"^Redis database must be between 0 and 3: got 4$"):
        RedisConnection().connect(databases=4).select_db(4)


@pytest.mark.parametrize("port", [0, -1, 65_536, 6379.0, "6379", None, True])
def test_port_out_of_range_or_of_a_wrong_type(port: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConnection().connect("localhost", port)
    assert str(caught.value).startswith(f"Invalid port number: {port!r}")


def test_bounds_themselves_are_accepted() -> None:
    assert Settings(port=1).port == 1
    assert Settings(port=65_535, db=15, max_connections=1).db == 15


@pytest.mark.parametrize("value", [0, 0.0, -1, None, math.nan, math.inf, "5", True])
@pytest.mark.parametrize("name", ["pool_timeout_s", "socket_timeout_s", "retry_deadline_s"])
def test_timeouts_are_finite_seconds_above_zero(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{name} must be .* got {value!r}"):
        RedisConnection().connect(**{name: value})


@pytest.mark.parametrize("value", [0, -3, 2.0, "10", None, True])
@pytest.mark.parametrize("name", ["max_connections", "databases"])
def test_counts_are_integers_of_at_least_one(name: str, value: Any) -> None:
    with pytest.raises(
        ConfigError, match=f"^{name} must be an integer of at least 1: got {value!r}$"
    ):
        RedisConnection().connect(**{name: value})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": ""}, "host must be"),
        ({"host": "a b"}, "host must be .* got 'a b'"),
        ({"host": "a\n"}, "host must be"),
        ({"host": None}, "host must be .* got None"),
        ({"username": "ann"}, "username 'ann' needs a password"),
        ({"username": ""}, "username must be a text or None: got an empty text"),
        ({"password": ""}, "password must be a text or None: got an empty text"),
        ({"password": 12345}, "password must be a text or None: got int"),
        ({"tls": 1}, "tls must be True or False: got 1"),
        ({"tls": True, "tls_insecure": "yes"}, "tls_insecure must be True or False"),
        ({"tls_insecure": True}, "TLS is off: tls_insecure needs tls=True"),
        ({"tls_cert": "/c", "tls_key": "/k"}, "TLS is off: tls_cert, tls_key needs tls=True"),
        ({"tls": True, "tls_ca": "/no/such/file"}, "tls_ca must be a file of PEM certificates: got"),
        ({"tls": True, "unix_socket": "/run/s"}, "TLS over a unix socket"),
        ({"unix_socket": ""}, "unix_socket must be a path or None: got ''"),
        ({"unix_socket": 3}, "unix_socket must be a path or None: got 3"),
        ({"max_conections": 3}, "no setting 'max_conections'; the settings are cluster, databases, db, host"),
    ],
)  # fmt: skip
def test_other_values_that_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RedisConnection().connect(**settings)


def test_password_is_shown_nowhere() -> None:
    connection = RedisConnection().connect(password=SECRET, username="ann")
    shown = [
        repr(connection),
        repr(connection.settings),
        connection.settings.where,
        repr(connection.link()),
    ]
    assert "ann:***@localhost" in connection.settings.where
    assert not any(SECRET in text for text in shown)
    with pytest.raises(ConfigError) as caught:
        RedisConnection().connect(password=SECRET, port=0)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, "redis://localhost:6379/0"),
        ({"host": "::1", "db": 2}, "redis://[::1]:6379/2"),
        ({"tls": True, "password": SECRET}, "rediss://:***@localhost:6379/0"),
        ({"unix_socket": "/run/r.sock", "db": 4}, "unix:///run/r.sock?db=4"),
        ({"unix_socket": Path("/s"), "username": "a", "password": "b"}, "unix://a:***@/s?db=0"),
    ],
)
def test_where_names_the_server(settings: dict[str, Any], where: str) -> None:
    assert Settings(**settings).where == where


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "redis://:s3cret@db.example:6379/0"},
        {"host": "ann:s3cret@db.example"},
        {"unix_socket": "unix://:s3cret@/run/redis.sock"},
        {"cluster": ["redis://:s3cret@h1:6379"]},
        {"cluster": ["h1", "ann:s3cret@h2"]},
        {"cluster": "redis+cluster://:s3cret@h1"},
        {"sentinels": ["redis+sentinel://:s3cret@h1"], "sentinel_name": "deals"},
    ],
)
def test_a_url_that_stands_for_an_address_is_refused_and_not_shown(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="scheme or a login") as caught:
        Settings(**settings)
    assert "s3cret" not in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().db = 3  # type: ignore[misc]


def test_nothing_works_before_connect() -> None:
    connection = RedisConnection()
    assert not connection.is_connected()
    with pytest.raises(ConfigError, match="call connect"):
        connection.link()
    connection.close()
