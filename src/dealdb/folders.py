"""
The folders of a user where programs keep their things, as the XDG specification has them.

A variable that holds a relative path is ignored, as the specification says: the folder would be another one wherever
the program is started. None is for a user without a home folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def data(environment: Mapping[str, str] = os.environ) -> Path | None:
    """
    Where data is: ``$XDG_DATA_HOME/dealdb`` or ``~/.local/share/dealdb``.

    Examples
    --------
    >>> str(data({"XDG_DATA_HOME": "/srv"})), data({"XDG_DATA_HOME": "srv"}) == data({})
    ('/srv/dealdb', True)
    """
    return _folder(environment, "XDG_DATA_HOME", ".local/share")


def cache(environment: Mapping[str, str] = os.environ) -> Path | None:
    """
    Where things are that can be made again: ``$XDG_CACHE_HOME/dealdb`` or ``~/.cache/dealdb``.

    Examples
    --------
    >>> str(cache({"XDG_CACHE_HOME": "/var/cache"}))
    '/var/cache/dealdb'
    """
    return _folder(environment, "XDG_CACHE_HOME", ".cache")


def config(environment: Mapping[str, str] = os.environ) -> Path | None:
    """
    Where settings are: ``$XDG_CONFIG_HOME/dealdb`` or ``~/.config/dealdb``.

    Examples
    --------
    >>> str(config({"XDG_CONFIG_HOME": "/etc"}))
    '/etc/dealdb'
    """
    return _folder(environment, "XDG_CONFIG_HOME", ".config")


def state(environment: Mapping[str, str] = os.environ) -> Path | None:
    """
    Where a program keeps what it did: ``$XDG_STATE_HOME/dealdb`` or ``~/.local/state/dealdb``.

    Examples
    --------
    >>> str(state({"XDG_STATE_HOME": "/var/lib"}))
    '/var/lib/dealdb'
    """
    return _folder(environment, "XDG_STATE_HOME", ".local/state")


def _folder(environment: Mapping[str, str], variable: str, default: str) -> Path | None:
    given = environment.get(variable, "")
    if given.startswith("/"):
        return Path(given) / "dealdb"
    with suppress(RuntimeError):
        return Path.home() / default / "dealdb"
    return None
