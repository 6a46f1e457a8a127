"""Queries over the live columns: filter, sort, count, and SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import polars as pl

from dealdb.engines import all_on_engines, on_engines
from dealdb.errors import QueryError
from dealdb.model.columns import spelled_out
from dealdb.model.names import column_named, find_name
from dealdb.query.deal_source import DealSource, FixedDeals, Rows, snapshot_of_rows
from dealdb.query.filters.where import compile_where
from dealdb.query.index.kept_index import index_for
from dealdb.query.limits import SQL_LIMITS, SqlLimits
from dealdb.query.messages import MOMENTS
from dealdb.query.results.paging import Page, Question, page_of
from dealdb.query.results.rows import (
    Params,
    columns_named,
    evaluated,
    kept_rows,
    positive,
    projected,
    rows_found,
    slice_of,
    text_columns,
    with_ids,
)
from dealdb.query.results.saved import SavedQueries, SavedQuery
from dealdb.query.results.search import searched, words_of
from dealdb.query.results.sorting import Sort, are_tied, parse_sort, sorted_rows

if TYPE_CHECKING:
    from dealdb.model.pipeline import Pipeline
    from dealdb.query.results.explain import Explanation
    from dealdb.query.results.facets import Facet
    from dealdb.query.sql.session import SqlSession
    from dealdb.query.sql.tables import ReadTable, Tables
    from dealdb.store.replica.snapshot import Snapshot

PAGE_SIZE = 50
FACET_LIMIT = 20
SEARCH_LIMIT = 20


@all_on_engines("saved", "forget", "close")
class QueryEngine:
    """
    Queries over the deals of a collection as they are now.

    Every method asks for a fresh snapshot first (one round trip when nothing big changed), so it sees each
    commit that was acknowledged before it was called.

    Parameters
    ----------
    source
        Where the deals come from.
    sql_timeout_s
        Seconds after which ``sql`` stops a statement.
    sql_memory_mb
        Megabytes that ``sql`` may use besides the columns themselves.
    sql_isolated
        Whether ``sql`` runs in a process of its own, so that nothing that a statement does can harm this one.
    read_table
        Reads the tables of ``sql`` that are no data frames; None where nothing does.

    Examples
    --------
    >>> query = QueryEngine.over([{"id": "1", "stage": "won"}, {"id": "2", "stage": "lost"}])
    >>> query.find("stage = 'won'")["id"].to_list()
    ['1']
    """

    def __init__(
        self,
        source: DealSource,
        *,
        sql_timeout_s: float = SQL_LIMITS.sql_timeout_s,
        sql_memory_mb: int = SQL_LIMITS.sql_memory_mb,
        sql_isolated: bool = SQL_LIMITS.sql_isolated,
        read_table: ReadTable | None = None,
    ) -> None:
        self._source = source
        self._read_table = read_table
        self._saved = SavedQueries(source)
        # the table of changes as it was last asked for, and the deals and the commit that it belongs to
        self._changes: tuple[pl.DataFrame, int, pl.DataFrame | None] | None = None
        self._limits = SqlLimits(
            sql_timeout_s=sql_timeout_s, sql_memory_mb=sql_memory_mb, sql_isolated=sql_isolated
        )
        self._session: SqlSession | None = None

    def __repr__(self) -> str:
        return f"<QueryEngine of {self._source!r}>"

    @classmethod
    @on_engines
    def over(cls, rows: Rows, *, pipeline: Pipeline | None = None) -> Self:
        """
        Queries over rows that are in no database: for examples, and for tests of a filter.

        Parameters
        ----------
        rows
            A data frame, or dictionaries; what one of them lacks and another has is null.
        pipeline
            Stages of the rows; a kind is proposed for those that it doesn't have.

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "stage": "won"}, {"id": "2", "n": 7}])
        >>> query.find("n > 5").rows()
        [('2', None, 7)]
        """
        return cls(FixedDeals(snapshot_of_rows(rows, pipeline)))

    def _deals(self, names: Collection[str] | None) -> Snapshot:
        """The current snapshot, with these columns at least."""
        deals = self._source.snapshot(names)
        if names is None:
            return deals
        known = deals.rows.columns
        # a name that is not a column is refused by code that has all columns to suggest
        missing = any(find_name(n, known) is None and n.lower() not in MOMENTS for n in names)
        return self._source.snapshot() if missing else deals

    def find(
        self,
        where: str | pl.Expr | None = None,
        *,
        sort: Sort = None,
        limit: int | None = None,
        offset: int = 0,
        columns: Sequence[str] | None = None,
        params: Params = None,
        **equals: object,
    ) -> pl.DataFrame:
        """
        Deals that a filter keeps.

        Parameters
        ----------
        where
            SQL text, a boolean Polars expression, or None for all.
        sort
            Column, with ``-`` for descending, or several. Nulls come last in either direction, and ties by their
            ids. The order of all without ``sort`` is stable but unspecified; sort by ``"id"`` where it matters.
        limit
            Most deals to return, from 0 up; None for no bound.
        offset
            Deals to leave out at the beginning.
        columns
            Columns to return, in this order; None for all.
        params
            Values of the parameters in the filter's text: ``find("amount > :least", params={"least": 5})``.
        **equals
            Column and the value that it has to have: ``stage="won"``; None for null, a list for any of these. A
            column of lists has to contain it: ``tags="vip"``.

        Returns
        -------
        polars.DataFrame
            One row a deal; amounts are exact decimals, and all texts are ``pl.String``.

        Raises
        ------
        QueryError
            If the filter, a column, ``limit`` or ``offset`` can't be understood, or a sum or product in the
            filter outgrows 38 digits.

        Cost
        ----
        One round trip, a scan of the columns that the filter names; with sort and limit 4 to 7 ms at 1,000,000 deals,
        some more where very many tie. Without a limit the ids of all ties are sorted, up to some 2 s of processor time.
        The first one of a process that has a limit reads the columns of filter and sort, and of the others no more than
        the chunks that hold the deals, where these are few; but all ids, where some of these deals are equal. So does
        the second one, after which a thread reads the other columns; no query waits for it.

        Source
        ------
        docs/querying.md#find

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "n": 5}, {"id": "2", "n": 7}, {"id": "3"}])
        >>> query.find(sort="-n", limit=2)["id"].to_list()
        ['2', '1']
        """
        wanted = slice_of(offset, limit)
        few = columns is None and limit is not None
        names = columns_named(where, equals, sort, () if few else columns)
        deals = self._deals(names if few else with_ids(names, sort))
        if few and not deals.has_all:
            keys = parse_sort(sort, deals.rows.columns)
            kept = kept_rows(deals, where, equals, params)
            # the ids of all deals are read only where some are equal, be it with the next one
            rows = sorted_rows(deals.rows, kept, keys, wanted.stop + 1)
            if are_tied(deals.rows, keys, rows):
                deals = self._deals(with_ids(names, sort))
                # a field may have another name by now
                keys = parse_sort(sort, deals.rows.columns)
                kept = kept_rows(deals, where, equals, params)
                rows = sorted_rows(deals.rows, kept, keys, wanted.stop)
            found = deals.whole_rows(rows.slice(wanted.start, limit))
            if found is not None:
                return spelled_out(found)
            deals = self._source.snapshot()
        keys = parse_sort(sort, deals.rows.columns)
        shown = projected(deals.rows, columns)
        kept = kept_rows(deals, where, equals, params)
        return spelled_out(rows_found(deals.rows, shown, kept, keys, wanted))

    def page(
        self,
        where: str | pl.Expr | None = None,
        *,
        sort: Sort = None,
        size: int = PAGE_SIZE,
        cursor: str | None = None,
        columns: Sequence[str] | None = None,
        params: Params = None,
        **equals: object,
    ) -> Page:
        """
        One page of the deals that a filter keeps, with the exact total and the way to the next page.

        The pages joined are the whole result in order. A deal that nobody changes meanwhile is on exactly one of
        them, whatever others write.

        Parameters
        ----------
        where, columns, params, **equals
            As for ``find``.
        sort
            As for ``find``, except that everything comes by its id without ``sort``.
        size
            Most deals on a page, from 1 up.
        cursor
            ``Page.next`` of the page before; None for the first page.

        Raises
        ------
        QueryError
            As for ``find``; or if the cursor was changed, or belongs to another filter, sort or version.

        Cost
        ----
        One round trip and a scan of the columns of filter and sort; 5 to 30 ms at 1,000,000 deals, for the last
        page as for the first.

        Source
        ------
        docs/querying.md#pages

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "n": 5}, {"id": "2", "n": 7}, {"id": "3"}])
        >>> first = query.page(sort="-n", size=2)
        >>> first
        Page(2 of 3 deals, more)
        >>> query.page(sort="-n", size=2, cursor=first.next).items["id"].to_list()
        ['3']
        """
        size = positive("size", size)
        deals = self._source.snapshot()
        asked = Question(where=where, equals=equals, sort=sort, params=params)
        return page_of(deals, asked, size=size, cursor=cursor, columns=columns)

    def count(
        self, where: str | pl.Expr | None = None, *, params: Params = None, **equals: object
    ) -> int:
        """
        Number of deals that a filter keeps.

        Raises
        ------
        QueryError
            If the filter can't be understood.

        Cost
        ----
        One round trip and a scan of the columns that the filter names.

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "stage": "won"}, {"id": "2", "stage": "lost"}])
        >>> query.count(stage="won")
        1
        """
        deals = self._deals(columns_named(where, equals, None, ()))
        return deals.narrowed(kept_rows(deals, where, equals, params)).height

    def facets(
        self,
        columns: str | Sequence[str],
        where: str | pl.Expr | None = None,
        *,
        limit: int = FACET_LIMIT,
        by: Mapping[str, object] | None = None,
        params: Params = None,
        **equals: object,
    ) -> dict[str, Facet]:
        """
        Deals that a filter keeps, counted by what some columns hold.

        Text, truth values, and integers of few values are counted by value, lists by member; dates by year, quarter,
        month or day, whichever is finest within the limit; other numbers by amounts between round bounds, even ones
        or, where most deals would be in one bucket, 1, 2, 5, 10, 20 ...

        Parameters
        ----------
        columns
            One column, or several.
        where, params, **equals
            As for ``find``.
        limit
            Most buckets of a column, from 1 up, the largest ones; nulls have one more.
        by
            How to count a column instead: a unit for a date (``{"created": "month"}``), a step for a number
            (``{"amount": 10_000}``), ``"value"`` for any.

        Returns
        -------
        dict
            For each column a ``Facet``; each bucket has the filter that keeps exactly its deals.

        Raises
        ------
        QueryError
            If the filter, a column or an option can't be understood, or a step makes more than 500 buckets.

        Cost
        ----
        One round trip; 10 to 60 ms a column at 1,000,000 deals, 200 ms for a text that is another in every deal.

        Source
        ------
        docs/querying.md#facets

        Examples
        --------
        >>> query = QueryEngine.over([{"stage": "won"}, {"stage": "lost"}, {"stage": "won"}])
        >>> query.facets("stage")["stage"].table.rows()
        [('won', 2, "stage = 'won'"), ('lost', 1, "stage = 'lost'")]
        """
        # it brings the charts, which most commands don't draw
        from dealdb.query.results.facets import facet_of

        limit = positive("limit", limit)
        wanted = [columns] if isinstance(columns, str) else columns
        if not isinstance(by or {}, Mapping):
            msg = "by says of columns how to divide them, such as {'created': 'month'}"
            raise QueryError(msg)
        deals = self._deals(columns_named(where, equals, None, wanted))
        chosen = projected(deals.rows, wanted)
        how = {column_named(name, chosen.columns): value for name, value in (by or {}).items()}
        kept = kept_rows(deals, where, equals, params)
        counted = chosen if kept is None else chosen.filter(kept)
        return {name: facet_of(counted, name, how.get(name), limit) for name in chosen.columns}

    def search(
        self,
        text: str,
        *,
        columns: str | Sequence[str] | None = None,
        where: str | pl.Expr | None = None,
        limit: int = SEARCH_LIMIT,
        params: Params = None,
        **equals: object,
    ) -> pl.DataFrame:
        """
        Deals that have some words, best first; case and accents don't count, the end of a word may be missing.

        Where fewer than ``limit`` deals have the words, one typo a word is allowed as well: another letter, one
        missing, one too many, or two swapped; not in words of less than 4 letters, nor in those with a digit.

        Parameters
        ----------
        text
            1 to 8 words; a deal has to have all of them, in whichever of the columns.
        columns
            Columns of text to search, earlier ones counting a little more; None for all.
        where, params, **equals
            Filter of the deals to search, as for ``find``.
        limit
            Most deals to return, from 1 up; no more than 2,000 are ever found. Ties come by their ids.

        Returns
        -------
        polars.DataFrame
            Whole deals, with three more columns: ``_score`` (1 for whole words in the first column), ``_in`` (which
            column matches best) and ``_highlight`` (its text with ``**`` around what matched).

        Raises
        ------
        QueryError
            If there is nothing to search for, a column isn't text, or the filter can't be understood.

        Cost
        ----
        One round trip, and at 1,000,000 deals 40 to 100 ms for each column; twice that with typos. From the second
        search of 50 deals or more a thread makes an index of all words, 70 bytes a deal; once it is there, some
        milliseconds.

        Source
        ------
        docs/querying.md#search

        Examples
        --------
        >>> query = QueryEngine.over([{"name": "Café Zürich"}, {"name": "Globex"}])
        >>> query.search("zurich caf")["_highlight"].to_list()
        ['**Café** **Zürich**']
        """
        limit = positive("limit", limit)
        words = words_of(text)
        deals = self._source.snapshot()
        names = text_columns(deals.rows, columns)
        kept = kept_rows(deals, where, equals, params)
        index = index_for(deals, names, kept)
        return spelled_out(searched(deals.rows, words, names, limit, kept, index))

    def explain(
        self,
        where: str | pl.Expr | None = None,
        *,
        sort: Sort = None,
        limit: int | None = None,
        offset: int = 0,
        columns: Sequence[str] | None = None,
        params: Params = None,
        **equals: object,
    ) -> Explanation:
        """
        Run a query as ``find`` does, and report what it did: filter as understood, deals scanned, time by step.

        Parameters
        ----------
        where, sort, limit, offset, columns, params, **equals
            As for ``find``.

        Raises
        ------
        QueryError
            As for ``find``.

        Cost
        ----
        That of the query.

        Source
        ------
        docs/querying.md#explain

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "n": 5}, {"id": "2", "n": 7}, {"id": "3"}])
        >>> done = query.explain("N>4", sort="-n", limit=1)
        >>> done.filter, done.columns, done.scanned, done.kept, done.returned
        ('n > 4', ('n',), 3, 2, 1)
        """
        from dealdb.query.results.explain import Explanation, Watch, columns_read, filter_text

        wanted = slice_of(offset, limit)
        before = self._source.round_trips()
        watch = Watch()
        deals = self._deals(with_ids(columns_named(where, equals, sort, columns), sort))
        frame = deals.rows
        watch.lap("sync")
        trips = self._source.round_trips() - before
        keys = parse_sort(sort, frame.columns)
        shown = projected(frame, columns)
        condition = compile_where(where, frame.schema, equals, params, zone=deals.pipeline.zone)
        watch.lap("parse")
        kept = evaluated(deals, condition, where)
        watch.lap("scan")
        found = rows_found(frame, shown, kept, keys, wanted)
        watch.lap("sort")
        return Explanation(
            filter=filter_text(where, equals, frame.schema),
            order=tuple(key.text for key in keys),
            columns=columns_read(where, equals, keys, frame.schema),
            scanned=deals.height,
            kept=deals.narrowed(kept).height,
            returned=found.height,
            round_trips=trips,
            steps_ms=watch.laps_ms,
        )

    def select(
        self, where: str | pl.Expr | None = None, *, params: Params = None, **equals: object
    ) -> Snapshot:
        """
        Snapshot that has only the deals that a filter keeps: what metrics with ``where=`` work on.

        Raises
        ------
        QueryError
            If the filter can't be understood.

        Cost
        ----
        One round trip and a scan; columns are copied when the frame of the snapshot is first asked for.

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "stage": "won"}, {"id": "2", "stage": "lost"}])
        >>> query.select("stage = 'lost'").frame["id"].to_list()
        ['2']
        """
        deals = self._source.snapshot()
        return deals.narrowed(kept_rows(deals, where, equals, params))

    def frame(
        self,
        columns: Sequence[str] | None = None,
        *,
        text: bool = False,
        floats: bool = False,
    ) -> pl.DataFrame:
        """
        All deals as a data frame of your own: one row a deal, in an order that is stable but unspecified.

        Parameters
        ----------
        columns
            Columns of it, in this order; None for all.
        text
            Whether categories (``owner``, ``stage`` ...) are ``pl.String``, to be joined with other frames.
        floats
            Whether decimals are floats, for plots and models: these are no longer exact.

        Raises
        ------
        QueryError
            If there is no such column.

        Cost
        ----
        One round trip; the columns are shared with the live ones, not copied, unless deals were ever deleted: then
        they are copied, all of them at the first call after a change, chosen ones at each. ``text`` and ``floats`` copy
        the columns that they change.

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1"}, {"id": "2"}])
        >>> query.frame().shape
        (2, 1)
        """
        deals = self._deals(columns_named(None, {}, None, columns))
        if columns is None:
            found = deals.frame.clone()
        else:
            chosen = projected(deals.rows, columns)
            found = chosen if deals.kept is None else chosen.filter(deals.kept)
        found = spelled_out(found) if text else found
        return found.cast({pl.Decimal: pl.Float64}) if floats else found

    def sql(
        self, statement: str, *, params: Params = None, tables: Tables | None = None
    ) -> pl.DataFrame:
        """
        Result of one SELECT on DuckDB over the tables ``deals`` and ``history``, and over some of your own.

        Parameters
        ----------
        statement
            One SELECT: joins, windows, CTEs, set operations, PIVOT, 470 functions. Without ``ORDER BY``, the order of
            its rows, and which of them a ``LIMIT`` takes, is unspecified.
        params
            Values of the parameters ``:name`` in the statement, bound by DuckDB; a list is written after IN without
            parentheses.
        tables
            Tables that the statement may name as well: data frames, or paths and lists of mappings, which are read as
            ``loader.load`` reads them. ``tables={"quotas": "quotas.csv"}``.

        Returns
        -------
        polars.DataFrame
            Decimals stay exact decimals; a sum of integers is an Int64.

        Raises
        ------
        QueryError
            If the statement isn't one SELECT, reaches for another table or file, fails, takes longer than
            ``sql_timeout_s`` or more memory than ``sql_memory_mb``; or if a table can't be read or have that name.
        MissingExtra
            If DuckDB or PyArrow is not installed.

        Cost
        ----
        One round trip; the columns that the statement names are copied to DuckDB's process, once after each change. The
        first statement starts that process: some 0.5 s. A statement that names ``history`` reads the whole history from
        the server when there were new commits.

        Source
        ------
        docs/querying.md#sql

        Examples
        --------
        >>> query = QueryEngine.over([{"id": "1", "n": 5}, {"id": "2", "n": 7}])
        >>> query.sql("SELECT sum(n) AS total FROM deals").item()
        12
        >>> weights = pl.DataFrame({"id": ["1"], "weight": [3]})
        >>> query.sql(
        ...     "SELECT n * weight FROM deals JOIN weights USING (id)", tables={"weights": weights}
        ... ).item()
        15
        """
        from dealdb.query.sql.tables import side_tables

        with self._statements() as session:
            session.begin()
            deals = self._source.snapshot()
            return session.run(
                statement,
                deals.rows,
                params,
                history=lambda: self._changes_of(deals),
                kept=deals.kept,
                sides=side_tables(tables, self._read_table),
                zone=deals.pipeline.zone,
            )

    @contextmanager
    def _statements(self) -> Iterator[SqlSession]:
        """What runs statements; another thread may close it at any time, or make one meanwhile."""
        session = self._session
        if session is None:
            # not at the top: loading DuckDB and PyArrow takes longer than most queries
            from dealdb.query.sql.session import SqlSession

            made = SqlSession(
                timeout_s=self._limits.sql_timeout_s,
                memory_mb=self._limits.sql_memory_mb,
                isolated=self._limits.sql_isolated,
            )
            self._session = session = self._session or made
        try:
            yield session
        finally:
            if self._session is not session:
                # nobody else knows it any more, and a statement opens it again
                session.close()

    def _changes_of(self, deals: Snapshot) -> pl.DataFrame | None:
        """Table of changes up to a snapshot; read once for as long as nothing changes."""
        # looked at once: another thread may close this
        known = self._changes
        if known is not None:
            rows, seq, changes = known
            # the number of a commit alone may be that of another database, which was selected since
            if rows is deals.rows and seq == deals.seq:
                return changes
        # not at the top: it brings the client along
        from dealdb.store.log.entry import Position

        changes = self._source.changes(deals.position or Position(deals.seq))
        self._changes = (deals.rows, deals.seq, changes)
        return changes

    def save(
        self,
        name: str,
        where: str | None = None,
        *,
        sort: Sort = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        """
        Keep a query by name, with the deals, for everyone who works with them; replaces one of the same name.

        Parameters
        ----------
        name
            1 to 63 letters, digits, spaces, ``_ . -``.
        where
            SQL text, parameters allowed; None for all deals.
        sort, columns
            As for ``find``.

        Raises
        ------
        QueryError
            If the query can't be understood, isn't text, or can't have that name; or these deals are of the past.

        Cost
        ----
        Two round trips.

        Source
        ------
        docs/querying.md#saved-queries

        Examples
        --------
        >>> from dealdb.database import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     db.query.save("large", "amount >= :least", sort="-amount")
        ...     db.query.run("large", params={"least": 50})["id"].to_list()
        ['42']
        """
        self._saved.save(name, where, sort=sort, columns=columns)

    def saved(self) -> dict[str, SavedQuery]:
        """
        Saved queries by name, in the order of their names.

        Raises
        ------
        QueryError
            If these deals are of the past, which keeps no queries.
        StoreDamaged
            If another program wrote something else in their place.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> from dealdb.database import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.query.save("won", "stage = 'won'")
        ...     db.query.saved()
        {'won': SavedQuery(where="stage = 'won'", sort=(), columns=None)}
        """
        return self._saved.all()

    def run(
        self,
        name: str,
        /,
        *,
        limit: int | None = None,
        offset: int = 0,
        params: Params = None,
        **equals: object,
    ) -> pl.DataFrame:
        """
        Deals of a saved query; see ``find`` for the options.

        Raises
        ------
        QueryError
            If there is no query of that name, or its columns are gone; and as for ``find``.

        Cost
        ----
        One round trip more than ``find``.

        Examples
        --------
        >>> from dealdb.database import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "stage": "won"})
        ...     db.query.save("won", "stage = 'won'", columns=["id"])
        ...     db.query.run("won").rows()
        [('42',)]
        """
        query = self._saved.named(name)
        return self.find(
            query.where,
            sort=query.sort,
            limit=limit,
            offset=offset,
            columns=query.columns,
            params=params,
            **equals,
        )

    def forget(self, name: str) -> bool:
        """
        Remove a saved query; whether there was one.

        Raises
        ------
        QueryError
            If these deals are of the past.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> from dealdb.database import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.query.forget("won")
        False
        """
        return self._saved.forget(name)

    def close(self) -> None:
        """
        Give back what ``sql`` holds; a later ``sql`` opens it again.

        Examples
        --------
        >>> QueryEngine.over([]).close()
        """
        session, self._session = self._session, None
        self._changes = None
        if session is not None:
            session.close()
