"""
Where the settings of a run come from: the first of option, environment variable, configuration file, default.

What is in a URL, such as its database, counts like the URL: it wins over the sources below. A password in the
URL wins over any other. ``password_file`` of the configuration file goes with the ``url`` of that file and no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from dealdb import folders
from dealdb.errors import ConfigError

DEFAULT = "default"
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,9}")
_PASSWORD_IN_URL = re.compile(r"[a-z+]+://[^/@]*:[^/@]+@")


class SettingKind(NamedTuple):
    """Type of a setting: as people call it, the types it has in TOML, and how it is read from text."""

    name: str
    types: tuple[type, ...]
    read: Callable[[str], Any]


class Chosen(NamedTuple):
    """Value of a setting and where it came from; of two, that of the higher rank wins."""

    value: Any
    source: str
    rank: int


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError
    return text == "on"


def _place(text: str) -> bool | Path:
    """Where the cache is: True for the user's cache directory, False for nowhere."""
    if text in ("on", "off"):
        return text == "on"
    folder = Path(text).expanduser()
    if not folder.is_absolute():
        raise ValueError
    return folder


def _durability(text: str) -> str:
    if text not in DURABILITIES:
        raise ValueError
    return text


# where a change has to be before it is acknowledged
DURABILITIES = ("memory", "disk", "replicated")
TEXT = SettingKind("a text", (str,), str)
WHOLE = SettingKind("a whole number", (int,), _whole)
SECONDS = SettingKind("a number of seconds", (int, float), float)
DURABILITY = SettingKind("memory, disk or replicated", (str,), _durability)
SWITCH = SettingKind("on or off", (str, bool), _switch)
PLACE = SettingKind("on, off or the full path of a folder", (str,), _place)

KEYS: dict[str, SettingKind] = {
    "url": TEXT,
    "db": WHOLE,
    "collection": TEXT,
    "partitions": WHOLE,
    "actor": TEXT,
    "password_file": TEXT,
    "max_connections": WHOLE,
    "pool_timeout_s": SECONDS,
    "socket_timeout_s": SECONDS,
    "retry_deadline_s": SECONDS,
    "cache": PLACE,
    "cache_mb": WHOLE,
    "durability": DURABILITY,
    "linger_s": SECONDS,
    "allow_eviction": SWITCH,
    "sql_timeout_s": SECONDS,
    "sql_memory_mb": WHOLE,
    "sql_isolated": SWITCH,
}


def choose(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Chosen]:
    """
    Settings that are given somewhere, each from its nearest source.

    Raises
    ------
    ConfigError
        If the configuration file can't be read, or a value is not of its setting's type.

    Examples
    --------
    >>> choose({"db": 3}, {"DEALDB_DB": "1", "DEALDB_CONFIG": ""})["db"]
    Chosen(value=3, source='--db', rank=3)
    """
    chosen = {**_from_file(config_file(environment)), **_from_environment(environment)}
    chosen |= {
        name: Chosen(options[name], f"--{name}", 3)
        for name in KEYS
        if options.get(name) is not None
    }
    if (url := chosen.get("url")) is not None:
        for name in _named_in(url.value):
            if name not in chosen or chosen[name].rank < url.rank:
                # the URL says it: nothing else is to be passed
                chosen[name] = Chosen(None, url.source, url.rank)
        file = chosen.get("password_file")
        if file is not None and file.rank < min(url.rank, 2):
            del chosen["password_file"]
    return chosen


def config_file(environment: Mapping[str, str]) -> Path | None:
    """
    Configuration file to read; None where there is none.

    Raises
    ------
    ConfigError
        If ``DEALDB_CONFIG`` names a file that does not exist.

    Examples
    --------
    >>> config_file({"XDG_CONFIG_HOME": "/nowhere"}) is None
    True
    """
    named = environment.get("DEALDB_CONFIG")
    if named is not None:
        if named and not Path(named).is_file():
            msg = f"DEALDB_CONFIG={named!r}: there is no such file"
            raise ConfigError(msg)
        return Path(named) if named else None
    folder = folders.config(environment)
    file = folder and folder / "config.toml"
    return file if file and file.is_file() else None


def password_in(url: str) -> bool:
    """
    Whether a URL has a password.

    Examples
    --------
    >>> password_in("redis+sentinel://:secret@s1,s2/m"), password_in("redis://host:6379")
    (True, False)
    """
    return bool(_PASSWORD_IN_URL.match(url))


def sends_in_clear(url: str) -> bool:
    """
    Whether what goes to the server of a URL can be read on its way.

    Examples
    --------
    >>> [
    ...     sends_in_clear(url)
    ...     for url in ("redis://db.example", "rediss://db.example", "redis://127.0.0.1:7000")
    ... ]
    [True, False, False]
    >>> sends_in_clear("redis+sentinel://localhost:26379,s2/mymaster")
    True
    """
    try:
        parts = urlsplit(url)
        places = parts.netloc.rpartition("@")[2].split(",")
        hosts = [urlsplit(f"//{place}").hostname or "localhost" for place in places]
    except ValueError:
        return False
    is_clear = parts.scheme in ("redis", "redis+sentinel")
    return is_clear and not all(map(_LOOPBACK.fullmatch, hosts))


def read_password(file: Chosen) -> str:
    """
    Password from a file: its text without the line end.

    Raises
    ------
    ConfigError
        If the file can't be read, or is empty.
    """
    try:
        password = Path(file.value).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        msg = f"password_file {str(file.value)!r} ({file.source}): {reason}"
        raise ConfigError(msg) from None
    if not password:
        msg = f"password_file {str(file.value)!r} ({file.source}): it is empty"
        raise ConfigError(msg)
    return password


def _from_environment(environment: Mapping[str, str]) -> dict[str, Chosen]:
    chosen = {}
    for name, kind in KEYS.items():
        variable = f"DEALDB_{name.upper()}"
        text = environment.get(variable)
        if text:
            try:
                chosen[name] = Chosen(kind.read(text), variable, 2)
            except ValueError:
                msg = f"{variable} must be {kind.name}: got {text[:80]!r}"
                raise ConfigError(msg) from None
    return chosen


def _from_file(file: Path | None) -> dict[str, Chosen]:
    if file is None:
        return {}
    # not at the top: most runs have no such file
    import tomllib

    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{file}: {error}"
        raise ConfigError(msg) from None
    chosen = {
        name: Chosen(_checked(file, name, value), str(file), 1) for name, value in document.items()
    }
    if "password_file" in chosen:
        path = file.parent / Path(chosen["password_file"].value).expanduser()
        chosen["password_file"] = Chosen(path, str(file), 1)
    return chosen


def _checked(file: Path, name: str, value: object) -> object:
    if name not in KEYS:
        hint = "write it to a file of its own, and name that; " if name == "password" else ""
        msg = f"{file}: there is no setting {name!r}; {hint}the settings are {', '.join(KEYS)}"
        raise ConfigError(msg)
    kind = KEYS[name]
    msg = f"{file}: {name} must be {kind.name}: got {str(value)[:80]!r}"
    # not isinstance: True is not a number
    if type(value) not in kind.types:
        raise ConfigError(msg)
    try:
        return kind.read(value) if isinstance(value, str) else value
    except ValueError:
        raise ConfigError(msg) from None


def _named_in(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        # for the connection to refuse, which knows how to say it without the password
        return set()
    names = {name for name, _ in parse_qsl(parts.query)} & KEYS.keys()
    return names | ({"db"} if parts.scheme != "unix" and parts.path.strip("/") else set())
