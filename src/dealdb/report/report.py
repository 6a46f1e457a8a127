"""``report_of``: a report of the deals as they are now, or were on a day; ``Report``: it, to be written as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from dealdb.answers.asked import speaking
from dealdb.database import DEFAULT_COLLECTION, DealDatabase
from dealdb.errors import ConfigError, QueryError
from dealdb.formats.locale import Locale
from dealdb.formats.output_file import STDOUT, opened, written
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import read_day
from dealdb.report.contents import ReportContents, contents_of
from dealdb.report.evidence import Inquiry
from dealdb.report.span import ReportSpan

KINDS = ("html", "md", "xlsx")


@dataclass(frozen=True, slots=True)
class Report:
    """
    A report on deals.

    Attributes
    ----------
    contents
        What it says, as data.
    locale
        How the reader writes numbers and days.
    """

    contents: ReportContents
    locale: Locale

    def html(self) -> str:
        """
        The report as one page without scripts, which loads nothing.

        Raises
        ------
        MissingExtra
            If the extra ``report`` is not installed.

        Cost
        ----
        No round trip.
        """
        from dealdb.report.writing.html import page_of

        with speaking(self.locale):
            return page_of(self.contents, self.locale)

    def markdown(self) -> str:
        """
        The report as Markdown, with charts of characters.

        Cost
        ----
        No round trip.
        """
        from dealdb.report.writing.markdown import markdown_of

        with speaking(self.locale):
            return markdown_of(self.contents, self.locale)

    def save(self, path: str | Path, *, kind: str | None = None) -> int:
        """
        Write it to a file, which appears complete or not at all.

        Parameters
        ----------
        path
            Its name, whose end gives the kind: ``.html``, ``.md`` or ``.xlsx``; ``-`` is standard output.
        kind
            ``html``, ``md`` or ``xlsx``, whatever the name.

        Returns
        -------
        int
            Bytes written.

        Raises
        ------
        ConfigError
            If the name ends otherwise.
        MissingExtra
            If the extra of the format is not installed.
        LoadError
            If the file can't be written.

        Cost
        ----
        No round trip.
        """
        chosen = kind_of(path) if kind is None else _checked(kind)
        if chosen == "xlsx":
            return self._save_workbook(path)
        data = (self.html() if chosen == "html" else self.markdown()).encode()
        with opened(path) as file:
            return file.write(data)

    def _save_workbook(self, path: str | Path) -> int:
        from dealdb.formats.workbook import write_sheets
        from dealdb.report.writing.workbook import sheets_of

        def write(file: Any) -> int:
            write_sheets(sheets_of(self.contents), file)
            return int(file.tell())

        return written(path, write)


def kind_of(path: str | Path) -> str:
    """
    The kind of a file by its name.

    Raises
    ------
    ConfigError
        If it is none of a report.

    Examples
    --------
    >>> kind_of("monday.HTML")
    'html'
    """
    end = Path(path).suffix.lower().removeprefix(".")
    return "html" if end == "htm" or str(path) == STDOUT else _checked(end, Path(path).name)


def _checked(kind: str, name: str | None = None) -> str:
    if kind not in KINDS:
        msg = f"a report is a file that ends with .html, .md or .xlsx, not {(name or kind)[:60]!r}"
        raise ConfigError(msg)
    return kind


def report_of(
    db: DealDatabase,
    *,
    since: date | str | None = None,
    until: date | str | None = None,
    by: str | Sequence[str] | None = None,
    where: str | None = None,
    as_of: date | str | None = None,
    to: str | None = None,
    locale: str = "",
) -> Report:
    """
    A report: what happened, what is open, what the quarter will close at, and what to look at.

    All of its figures are of one commit, whoever saves meanwhile. Those that can't be computed are missing, and their
    section says why.

    Parameters
    ----------
    db
        The deals.
    since
        First day to look at; by default the last Monday before the day of the report.
    until
        The day after the last one; the report is as of the end of that one, by what is known now.
    by
        A column, or several, of which there is a section with a row for each value; also what the leaderboard is by.
    where
        Only deals that this filter keeps, as in ``db.query.find``.
    as_of
        The last day of the report; today by default. It excludes ``until``.
    to
        Currency that all money is converted to; without it, several currencies are kept apart.
    locale
        How numbers and days are written, such as ``"de-DE"``. By default plain, whatever the environment says: the
        report is for its readers, not for who makes it.

    Raises
    ------
    QueryError
        If an option can't be understood.
    MissingExtra
        If a locale is given and the extra ``report`` is not installed.
    StoreError
        If the server can't be reached.

    Cost
    ----
    Some round trips, and all metrics: some 2 s of one core for 1,600 deals, and 4 s and 450 MB for 200,000.

    Source
    ------
    docs/report.md

    Examples
    --------
    >>> with DealDatabase.embedded(tmp_path) as db:
    ...     _ = db.save_deal({"id": 7, "stage": "Demo", "amount": 500})
    ...     report = report_of(db)
    >>> report.markdown().splitlines()[0], report.contents.headlines[0].label
    ('# Sales report', 'Open pipeline')
    """
    spoken = Locale(locale)
    # an unknown one fails here, and not when all is computed
    spoken.number(0)
    today = datetime.now(time_zone(db.pipeline.zone)).date()
    day = _last_day(_day("until", until), _day("as_of", as_of))
    stands = day if day is not None and day < today else None
    end = (stands or today) + timedelta(days=1)
    begin = _day("since", since) or _monday_before(stands or today)
    if begin >= end:
        msg = f"since={begin} is after the last day of the report, {end - timedelta(days=1)}"
        raise QueryError(msg)
    collection = db.collection
    inquiry = Inquiry(
        view=db.pinned(stands),
        day=stands or today,
        as_of=stands,
        where=where,
        to=to,
        flags=() if collection == DEFAULT_COLLECTION else ("--collection", collection),
    )
    names = [by] if isinstance(by, str) else list(by or ())
    # fails at once where nothing of the report would be right
    inquiry.view.analytics.summary(names, where=where, to=to)
    with speaking(spoken):
        contents = contents_of(inquiry, ReportSpan(begin, end), by=names, collection=collection)
    return Report(contents, spoken)


def _day(option: str, value: date | str | None) -> date | None:
    return read_day(value, option) if isinstance(value, str) else value


def _last_day(until: date | None, as_of: date | None) -> date | None:
    if until is not None and as_of is not None:
        msg = "until and as_of both say with which day the report ends: give one of them"
        raise QueryError(msg)
    return until - timedelta(days=1) if until is not None else as_of


def _monday_before(day: date) -> date:
    return day - timedelta(days=day.weekday() or 7)
