"""What a pipeline may say of the time."""

from __future__ import annotations

import pytest

from dealdb.errors import SchemaError
from dealdb.model.fiscal import YearEnd, new_names, time_zone


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("last saturday of january", YearEnd(6, 1, nearest=False)),
        ("  Last  SUNDAY of december ", YearEnd(7, 12, nearest=False)),
        ("nearest saturday to january", YearEnd(6, 1, nearest=True)),
        ("nearest monday to the end of june", YearEnd(1, 6, nearest=True)),
    ],
)
def test_a_rule_is_read_and_written(text: str, rule: YearEnd) -> None:
    assert YearEnd.parse(text) == rule
    assert YearEnd.parse(rule.to_text()) == rule


@pytest.mark.parametrize("text", ["", "last saturday", "first monday of may", "last may of friday"])
def test_another_rule_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="fiscal_year_end is"):
        YearEnd.parse(text)


def test_utc_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    def unknown(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", unknown)
    assert str(time_zone("UTC")) == "UTC"
    with pytest.raises(SchemaError, match="pip install tzdata"):
        time_zone("Europe/Berlin")


def test_names_are_followed_to_the_last_one_in_linear_time() -> None:
    chain = {str(n): str(n + 1) for n in range(20_000)}
    assert set(new_names(chain).values()) == {"20000"}
    assert new_names(dict(reversed(chain.items()))) == new_names(chain)
    with pytest.raises(SchemaError, match="circle"):
        new_names({**chain, "20000": "19999"})
