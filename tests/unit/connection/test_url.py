from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.connection import RedisConnection
from dealdb.connection.settings import make_settings
from dealdb.connection.url import parse_url
from dealdb.errors import ConfigError

SECRET = "hunter2"

TEXTS = st.text(min_size=1).filter(lambda text: text.isprintable() and not text.isspace())


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("redis://", {}),
        ("redis://h", {"host": "h"}),
        ("REDIS://h:1/15", {"host": "h", "port": 1, "db": 15}),
        ("redis://h/", {"host": "h"}),
        ("redis://h?db=3", {"host": "h", "db": 3}),
        ("redis://[::1]:6380/1", {"host": "::1", "port": 6380, "db": 1}),
        ("redis://[fe80::1]", {"host": "fe80::1"}),
        ("redis://:p%40%2F%3A%23%25@h", {"host": "h", "password": "p@/:#%"}),
        ("redis://ann:p@h", {"host": "h", "username": "ann", "password": "p"}),
        ("rediss://h", {"host": "h", "tls": True}),
        ("rediss://h?tls_ca=/etc/ca%20file", {"host": "h", "tls": True, "tls_ca": Path("/etc/ca file")}),
        (
            "rediss://h?tls_cert=/c&tls_key=/k",
            {"host": "h", "tls": True, "tls_cert": Path("/c"), "tls_key": Path("/k")},
        ),
        ("unix:///run/r.sock", {"unix_socket": Path("/run/r.sock")}),
        ("unix:///run/a%20%40b?db=2", {"unix_socket": Path("/run/a @b"), "db": 2}),
        ("unix://ann:p@/run/s", {"unix_socket": Path("/run/s"), "username": "ann", "password": "p"}),
        (
            "redis://h?max_connections=3&pool_timeout_s=0.5&socket_timeout_s=2&retry_deadline_s=1&databases=32",
            {"host": "h", "max_connections": 3, "pool_timeout_s": 0.5, "socket_timeout_s": 2.0,
             "retry_deadline_s": 1.0, "databases": 32},
        ),
    ],
)  # fmt: skip
def test_reads(url: str, settings: dict[str, object]) -> None:
    assert parse_url(url) == settings


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "must begin with redis://"),
        ("localhost:6379", "must begin with redis://"),
        ("http://h", "must begin with redis://"),
        ("redis:/h", "must begin with redis://"),
        ("redis://h/abc", "must be the number of a database: got 'abc'"),
        ("redis://h/1/2", "must be the number of a database: got '1/2'"),
        ("redis://h/-1", "must be the number of a database: got '-1'"),
        ("redis://h/\u0663", "must be the number of a database"),
        ("redis://h/" + "9" * 5000, "must be the number of a database: got '9{80}"),
        ("redis://h/16", "Redis database must be between 0 and 15: got 16"),
        ("redis://h/1?db=1", "names the database twice"),
        ("redis://h:0", "^Invalid port number: 0"),
        ("redis://h:65536", "^Invalid port number: 65536"),
        ("redis://h:", "^Invalid port number"),
        ("redis://h:x", "^Invalid port number"),
        ("redis://::1/0", "^Invalid port number .*brackets"),
        ("redis://[::1", "brackets"),
        ("redis://[::1]6379", "brackets"),
        ("redis://[::1]:", "^Invalid port number"),
        ("redis://h?colour=red", "a name that there is none of; its options are databases, db, max_connections"),
        ("redis://h?socket_timeout=3", r"none of; did you mean socket_timeout_s\?"),
        ("redis://h?db", "option db must be a whole number"),
        ("redis://h?max_connections=1_0", "option max_connections must be a whole number"),
        ("redis://h?socket_timeout_s=nan", "option socket_timeout_s must be a number"),
        ("redis://h?socket_timeout_s=0", "socket_timeout_s must be a number of seconds above 0"),
        ("redis://h?db=1&db=2", "gives the option db twice"),
        ("redis://h?tls_ca=/x", "no option 'tls_ca'"),
        ("redis://h?tls_cert=/x", "no option 'tls_cert'"),
        ("redis://h:6379/0\n", "the URL ends with a line feed: remove it"),
        ("redis://h:6379\r\n", "the URL ends with a line feed: remove it"),
        ("redis://:secret@h\t", "the URL ends with a tab: remove it"),
        (" redis://h", "the URL begins with a blank: remove it"),
        ("rediss://h?ssl_cert_reqs=none", "no option 'ssl_cert_reqs'.*only the argument tls_insecure=True"),
        ("rediss://h?tls_insecure=true", "no option 'tls_insecure'.*only the argument tls_insecure=True"),
        ("unix://", "needs the socket's absolute path"),
        ("unix://run/s", "needs the socket's absolute path"),
        ("redis://ann@h", "username 'ann' needs a password"),
        ("redis://%zz@h", "the user of the URL has a raw %"),
    ],
)  # fmt: skip
def test_refuses(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RedisConnection().connect_url(url)


@pytest.mark.parametrize("raw", ["#", "/", "?", "@", ":", "%", "%zz", "%ff"])
@pytest.mark.parametrize(
    "shape", ["redis://:{}@h/0", "redis://ann:{}@h:1/0", "unix://ann:{}@/run/s?db=1"]
)
def test_raw_character_in_a_password_gives_a_hint_and_no_secret(shape: str, raw: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConnection().connect_url(shape.format(f"{SECRET}{raw}{SECRET}"))
    assert "percent-encode" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", [f"redis://h:{SECRET}", f"{SECRET}@h", f"redis://:{SECRET}", 5])
def test_password_in_the_wrong_place_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConnection().connect_url(url)
    assert SECRET not in str(caught.value)


@given(user=TEXTS, password=TEXTS, db=st.integers(0, 15), port=st.integers(1, 65_535))
def test_any_login_survives_percent_encoding(user: str, password: str, db: int, port: int) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    settings = RedisConnection().connect_url(f"redis://{login}@db.example:{port}/{db}").settings
    assert (settings.username, settings.password) == (user, password)
    assert (settings.host, settings.port, settings.db) == ("db.example", port, db)


@given(st.text(max_size=40))
def test_any_text_is_settings_or_a_config_error(rest: str) -> None:
    for scheme in ("redis", "rediss", "unix"):
        try:
            connection = RedisConnection().connect_url(f"{scheme}://{rest}")
        except ConfigError:
            continue
        assert connection.settings.where.startswith(f"{scheme}://")


def test_arguments_win_over_the_url() -> None:
    settings = (
        RedisConnection().connect_url("redis://h/2?max_connections=3", max_connections=7).settings
    )
    assert (settings.db, settings.max_connections) == (2, 7)


def test_only_an_argument_turns_the_tls_checks_off() -> None:
    assert RedisConnection().connect_url("rediss://h", tls_insecure=True).settings.tls_insecure


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:pw@h?S3CRET=1",
        "redis://u:pw@h?db=S3CRET",
        "redis://u:pw@h?pool_timeout_s=S3CRET",
        "redis://u:pw@h?x&S3CRET",
        "redis://u:pw@h?S3CRET",
        "rediss://u:pw@h?tls_S3CRET=1",
        "unix://u:pw@/s?S3CRET=/x",
        "redis://u:pw@h?db=1&S3CRET=1",
    ],
)
def test_what_follows_a_question_mark_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make_settings(parse_url(url))
    assert "S3CRET" not in str(raised.value)
