from __future__ import annotations

import pytest

from dealdb.query.index import kept_index


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is made for few deals, and as soon as it is needed."""
    monkeypatch.setattr(kept_index, "LEAST_ROWS", 1)
    monkeypatch.setattr(kept_index, "_PAUSE", 0)


@pytest.fixture
def few_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made anew after few changes."""
    monkeypatch.setattr(kept_index, "_MOST_CHANGED", 25)
