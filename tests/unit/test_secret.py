"""No way of showing or copying settings gives the password by accident."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict, astuple, replace

import pytest

from dealdb.connection.settings import Settings
from dealdb.errors import ConfigError
from dealdb.secret import Secret

SETTINGS = Settings(username="ann", password="s3cret")


def test_nothing_shows_it() -> None:
    shown = [
        *(repr(each) for each in (SETTINGS, asdict(SETTINGS), astuple(SETTINGS), copy.copy(SETTINGS))),
        str(asdict(SETTINGS)),
        json.dumps(asdict(SETTINGS), default=str),
        f"{SETTINGS.password} {SETTINGS.password!s} {SETTINGS.password!r}",
        repr({name: getattr(SETTINGS, name) for name in SETTINGS.__slots__}),
        repr(copy.deepcopy(SETTINGS)),
    ]  # fmt: skip
    assert not [text for text in shown if "s3cret" in text]


def test_a_pickle_is_refused() -> None:
    for given in (SETTINGS, SETTINGS.password, {"settings": SETTINGS}):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(ConfigError, match="can't be pickled"):
                pickle.dumps(given, protocol)
    assert pickle.loads(pickle.dumps(Settings(db=3))) == Settings(db=3)


def test_copies_are_the_same_settings() -> None:
    for same in (copy.copy(SETTINGS), copy.deepcopy(SETTINGS), replace(SETTINGS)):
        assert same == SETTINGS
        assert hash(same) == hash(SETTINGS)
        assert isinstance(same.password, Secret)
        assert same.password.reveal() == "s3cret"
    assert replace(SETTINGS, password="other") != SETTINGS


def test_it_equals_its_text() -> None:
    assert Secret("a") == "a" == Secret(Secret("a"))
    assert Secret("a") != "b"
    assert Secret("a") != 1
    with pytest.raises(ConfigError, match="empty text"):
        Settings(password=Secret(""))
