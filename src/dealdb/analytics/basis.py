"""What the figures of a result rest on, in codes and as people say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from dealdb.formats.locale import PLAIN, Locale

# what Basis.currency says when deals are in several
MIXED = "mixed"

# what notes of a basis are in words; those of the default say nothing new
_NOTES: tuple[tuple[str, str], ...] = (
    (r"stages as they mean now", ""),
    (r"stages as they mean then", "stages as they were meant then"),
    (r"cohort created, mode reached", "a stage that was skipped counts as passed"),
    (r"cohort created, mode any", "only stages in which a deal really was"),
    (r"cohort created, mode ordered", "only deals that took all stages in their order"),
    (
        r"cohort entered:(.*), mode reached",
        r"from their first entry into \1; a skipped stage counts",
    ),
    (r"cohort entered:(.*), mode any", r"from their first entry into \1; only stages they were in"),
    (r"cohort entered:(.*), mode ordered", r"from their first entry into \1; all stages in order"),
    # a name that ends with a point makes no sentence
    (r"stage '(.*)'|stage \"(.*)\"", r"stage \1\2"),
    (r"unit deal", "the visits of a deal to a stage are added up"),
    (r"unit visit", "each visit to a stage by itself"),
    (r"basis stage, calendar days(.*)", r"days in the present stage\1"),
    (r"basis created, calendar days(.*)", r"days since creation\1"),
    (r"basis activity, calendar days(.*)", r"days since the last activity\1"),
    (r"basis activity, calendar weekdays(.*)", r"weekdays since the last activity\1"),
    (r"basis activity(, respite .*)?", r"days since the last activity\1"),
    (r"basis (?:update), calendar days(.*)", r"days since the last change\1"),
    (r"basis stage, calendar weekdays(.*)", r"weekdays in the present stage\1"),
    (r"basis created, calendar weekdays(.*)", r"weekdays since creation\1"),
    (r"basis (?:update), calendar weekdays(.*)", r"weekdays since the last change\1"),
    (r"basis update(, respite .*)?", r"days since the last change\1"),
    (r"basis stage(, respite .*)?", r"days in the present stage\1"),
    (r"basis created(, respite .*)?", r"days since creation\1"),
    (r"net: both ends(.*)", r"the first and the last day compared\1"),
    (r"gross: every change(.*)", r"each change by itself\1"),
    (r"by (\w+), measure won_n", r"by \1, number of wins"),
    (r"by (\w+), measure won_value", r"by \1, won value"),
    (r"by (\w+), measure win_rate", r"by \1, share of wins"),
    (r"start first_deal", "month 0 begins with the first deal"),
    (r"start first_win", "month 0 begins with the first win"),
    (r"method closed", "won of all that are closed"),
    (r"method competing", "open deals counted for as long as they were seen"),
    (r"method markov", "from moves between stages"),
    (r"chances learned", "chances learned from the history"),
    (r"chances own", "chances of the deals, else of their stages"),
    (r"event left", "until a deal left the stage"),
    (r"event forward", "until a deal moved on"),
    (r"event closed", "until a deal was won or lost"),
    (r"event won", "until a deal was won"),
    (r"period (\S+)", r"\1"),
    (r"1 moments, horizon (\d+) days", r"1 day looked at, \1 days ahead"),
    (r"(\d+) moments, horizon (\d+) days", r"\1 days looked at, \2 days ahead of each"),
)
_ERROR = re.compile(r"(\d+ days before(?:, .+)?): MAPE ([0-9.e+-]+) WAPE ([0-9.e+-]+)")
_DUE = re.compile(r"(?<=, due)(?: from ([0-9-]{10}))?(?: before ([0-9-]{10}))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """
    What the figures of a result rest on.

    Attributes
    ----------
    n
        Deals in the base set of the metric, over all rows.
    since, until
        Window on the closing date (of a trend also on the creation date), from ``since`` to the day before
        ``until``; None is unbounded.
    as_of
        Day on which open deals are judged (age, rotting, overdue); None where the metric has no such day.
    currency
        The one currency of the amounts; ``"mixed"`` for several, each with rows of its own; None where deals name
        none or the metric has no money in it.
    warnings
        What to know before believing the figures: deals left out, and ratios that mean little.
    notes
        How the figures were asked for, where there are several ways; and sentences on what is not known but assumed.

    Examples
    --------
    >>> Basis(n=3, since=date(2026, 1, 1), currency="EUR").describe()
    'n 3, from 2026-01-01, currency EUR'
    """

    n: int
    since: date | None = None
    until: date | None = None
    as_of: date | None = None
    currency: str | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """The basis on one line, without its warnings and what is said of it in sentences."""
        parts = [f"n {self.n:,}"]
        if self.since or self.until:
            bounds = (("from", self.since), ("before", self.until))
            parts.append(" ".join(f"{word} {day}" for word, day in bounds if day))
        if self.as_of:
            parts.append(f"as of {self.as_of}")
        if self.currency:
            parts.append(f"currency {self.currency}")
        parts += [note for note in self.notes if not note.endswith(".")]
        return ", ".join(parts)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the notes say in whole sentences."""
        return tuple(note for note in self.notes if note.endswith("."))


def in_words(basis: Basis, locale: Locale = PLAIN) -> str:
    """
    What a result rests on, on one line.

    Parameters
    ----------
    basis
        Of the result.
    locale
        How the reader writes numbers and days.

    Examples
    --------
    >>> from datetime import date
    >>> basis = Basis(n=7, since=date(2026, 1, 1), until=date(2026, 4, 1), currency="EUR")
    >>> in_words(basis)
    '7 deals, from 2026-01-01 to 2026-03-31, currency EUR'
    """
    # means of one are no means
    is_one = "only 1 period" in basis.notes
    parts = [
        "1 deal" if basis.n == 1 else f"{locale.number(basis.n)} deals",
        _between(basis.since, basis.until, locale),
        f"as of {locale.day(basis.as_of)}" if basis.as_of else "",
        f"currency {basis.currency}" if basis.currency else "",
        *(
            note_in_words(note, locale)
            for note in basis.notes
            # remarks have lines of their own
            if note not in basis.remarks and not (is_one and _ERROR.fullmatch(note))
        ),
    ]
    return ", ".join(filter(None, parts))


def note_in_words(note: str, locale: Locale = PLAIN) -> str:
    """
    A note of a basis as people say it; empty where it says that all is as usual.

    Examples
    --------
    >>> note_in_words("unit visit"), note_in_words("stages as they mean now")
    ('each visit to a stage by itself', '')
    """
    if error := _ERROR.fullmatch(note):
        before, mean, of_all = error.groups()
        on_average, of_money = (locale.share(float(each)) for each in (mean, of_all))
        return f"{before}: off by {on_average} on average, and by {of_money} of all money"
    for pattern, words in _NOTES:
        if found := re.fullmatch(pattern, note):
            note = found.expand(words)
            break
    return _DUE.sub(partial(_due, locale=locale), note)


def _due(found: re.Match[str], locale: Locale) -> str:
    since, until = (date.fromisoformat(day) if day else None for day in found.groups())
    between = _between(since, until, locale)
    return f" {between}" if between else ""


def _between(since: date | None, until: date | None, locale: Locale) -> str:
    """Days of a window, whose end is outside."""
    # nothing is before the first day that there is
    last = until - timedelta(days=1) if until and until > date.min else None
    bounds = (("from", since), ("to" if since else "up to", last))
    return " ".join(f"{word} {locale.day(day)}" for word, day in bounds if day)
