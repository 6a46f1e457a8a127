"""A chart as lines that a terminal can show."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdb.charts.chart import ChartForm, Unit
from dealdb.charts.text.printing import lines_of
from dealdb.formats.locale import Locale
from dealdb.formats.terminal import width_of
from unit.charts.making import HOSTILE, bars_of, charts


@pytest.mark.parametrize("form", ChartForm)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_marks_fit_the_terminal_and_do_not_steer_it(
    form: ChartForm, data: st.DataObject
) -> None:
    width = data.draw(st.sampled_from([40, 80, 160]))
    tag = data.draw(st.sampled_from(["", "de-DE"]))
    for line in lines_of(data.draw(charts(form)), width, Locale(tag)):
        assert width_of(line) <= width
        # control characters, halves of one, and ends of a line
        assert not {"Cc", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, line))
        turned = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        assert not turned & set(map(unicodedata.bidirectional, line))


def test_bars_are_proportional_to_the_eighth_of_a_column() -> None:
    values = [800, 400, 100, 1, 0]
    lines = lines_of(bars_of(["a", "b", "c", "d", "e"], values), 40, with_heading=False)
    bars = [line[3:].rstrip("0123456789").rstrip() for line in lines]
    cells = 40 - 1 - 3 - 4
    eighths = [8 * line.count("█") + " ▏▎▍▌▋▊▉".index(line.strip("█")[:1] or " ") for line in bars]
    assert eighths == [round(cells * 8 * value / 800) for value in values]


def test_panels_of_one_unit_have_one_scale() -> None:
    chart = bars_of(["a", "longer"], [80, 20], panel=["Ann", "Bob"])
    ann, bob = (line for line in lines_of(chart, 60, with_heading=False) if "█" in line)
    assert ann.count("█") == 4 * bob.count("█")
    assert ann.index("█") == bob.index("█")
    money = lines_of(bars_of(["a", "b"], [80, 20], Unit.MONEY, panel=["EUR", "USD"]), 60)
    assert len({line.count("█") for line in money if "█" in line}) == 1


def test_a_line_leads_from_a_bar_to_its_target() -> None:
    [line] = lines_of(bars_of(["a"], [10], target=[100]), 40, with_heading=False)
    assert re.fullmatch(r"a  █+[▏▎▍▌▋▊▉]?─+│  10 of 100", line)


def test_values_are_never_cut() -> None:
    lines = lines_of(
        bars_of([HOSTILE[8], "b"], [-123_456_789, 987_654_321]), 40, with_heading=False
    )
    assert [line.split()[-1] for line in lines] == ["\N{MINUS SIGN}123,456,789", "987,654,321"]


def test_wide_letters_are_counted() -> None:
    lines = lines_of(bars_of(["株式会社", "Acme"], [1, 1], Unit.DEALS), 40, with_heading=False)
    assert [width_of(line) for line in lines] == [40, 40]
