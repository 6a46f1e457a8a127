"""Loading and exporting, as people call them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.engines import all_on_engines
from dealdb.errors import LoadError
from dealdb.formats.tables import table_of
from dealdb.loader.export import ExportReport, write_frame
from dealdb.loader.load_options import MAX_EXPANSION, LoadOptions
from dealdb.loader.progress import ProgressCallback
from dealdb.loader.report import LoadReport
from dealdb.loader.saved_mapping import (
    SavedMapping,
    SavedMappings,
    checked_name,
    is_file,
    read_mapping,
)
from dealdb.loader.store_protocol import LoadTarget, Tabular
from dealdb.loader.writing.follow import follow, followed
from dealdb.loader.writing.load_source import load_source


@all_on_engines()
class DataLoader:
    """
    Loads deals from files, pipes, data frames and iterables, and exports them.

    Parameters
    ----------
    store
        Gives the collection to load into; asked once at the beginning of each load.
    find
        Gives the deals that a filter keeps: ``QueryEngine.find``. Without it only data frames can be exported.
    into
        The deals, as ``repr`` shows them.
    """

    def __init__(
        self,
        store: Callable[[], LoadTarget],
        find: Callable[..., pl.DataFrame] | None = None,
        into: object = None,
    ) -> None:
        self._into = into
        self._store = store
        self._find = find

    def __repr__(self) -> str:
        return f"<DataLoader of {self._into!r}>" if self._into is not None else "<DataLoader>"

    def load(
        self,
        source: Any,
        *,
        format: str | None = None,
        mapping: Mapping[str, str | None] | SavedMapping | str | Path | None = None,
        save_mapping: str | None = None,
        types: Mapping[str, str] | None = None,
        dates: str | None = None,
        decimal_point: str | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        encoding: str | None = None,
        sheet: str | None = None,
        id_from: Sequence[str] | str | None = None,
        at: str | None = None,
        stages: Any = None,
        on_conflict: str | None = None,
        bad_cells: str | None = None,
        fold: Sequence[str] | str | None = None,
        delete_missing: bool | str | pl.Expr = False,
        force: bool = False,
        everything: bool = False,
        dry_run: bool = False,
        resume: bool = False,
        strict: bool = False,
        rejects: str | Path | bool = True,
        max_errors: int | None = None,
        max_expansion: int = MAX_EXPANSION,
        batch_size: int | None = None,
        durability: str | None = None,
        progress: ProgressCallback | None = None,
        bar: bool = True,
    ) -> LoadReport:
        """
        Load all rows of a source; rows that can't be loaded are set aside and never stop the rest.

        By default a deal that exists is merged: fields that a row doesn't give stay, empty cells of a field that
        it gives are cleared. So loading the same source again changes nothing.

        Parameters
        ----------
        source
            A path (CSV, TSV, JSON Lines, JSON, Parquet, Arrow; text also as gzip or zstd), a binary file such as
            ``sys.stdin.buffer``, a Polars, pandas or pyarrow frame, or an iterable of mappings.
        format
            ``csv``, ``tsv``, ``jsonl``, ``json``, ``parquet``, ``arrow`` or ``xlsx``; by default found out.
        mapping
            Field by header, where the usual names of exports don't fit; None leaves a column out. Or all options of a
            saved mapping, by its name or as the path of a ``.toml`` file: other arguments win over them.
        save_mapping
            Name under which the options of this load, and what it found out, are saved with the collection at its end.
        types
            Type by field or header, as ``text``, ``int``, ``float``, ``decimal(4)``, ``bool``, ``date``, ``datetime``.
        dates
            ``us`` or ``eu``: whether 03/04/2026 is in March or in April; by default the column decides.
        decimal_point
            ``.`` or ``,``; by default the column decides.
        delimiter
            Character between the cells of delimited text; by default found out.
        null
            Text of a cell that stands for nothing in delimited text; by default an empty one and ``NULL``. With
            another one, empty cells are empty texts.
        encoding
            Encoding of text, as Python calls it; by default found out, or asked for where it can't be.
        sheet
            Sheet of a workbook; by default the first visible one with a column that is the id.
        id_from
            Columns (headers or fields) that together make the id where the source has none, or ``"row"`` for whole
            rows; the same rows get the same ids whenever they are loaded.
        at
            Column that says since when each row is so: what a row changes counts from there on, as with
            ``save_deal(at=...)``, in the order of the rows. A day is its beginning in the pipeline's zone, a time
            without a zone UTC. A row that changes nothing still says so where something else was known of its moment,
            which then costs as much as a first metric on history. The column is loaded as any other;
            ``mapping={column: None}`` leaves it out.
        stages
            Table of stages, as a path or anything else that can be loaded: what the stage ids in the source are
            called, their order, probability and outcome. The pipeline takes them from it.
        on_conflict
            What happens to deals that exist: ``merge``, by default; ``replace`` also clears the fields that the source
            doesn't give; ``skip`` leaves them alone; ``error`` stops before anything is written.
        bad_cells
            What happens to a row with a cell that can't be read: ``reject``, by default; ``null`` loads it without
            that cell.
        fold
            Columns of names (``"owner"``, or several) of which those that differ only in case, blanks or the form of
            their accents are joined: to the spelling that the collection has, else to the commonest.
        delete_missing
            Whether deals that the source doesn't have are deleted at the end; a filter for only those that it kept
            before the load. ``dry_run`` counts them first. One page of a paged answer deletes nothing.
        force
            Whether ``delete_missing`` deletes although rows were rejected.
        everything
            Whether ``delete_missing`` may delete more than half of the deals that it selects, or all of them because
            the source has no rows.
        dry_run
            Whether only to count what would happen; nothing is written, and a rejects file only to a path given.
        resume
            Whether to continue a load of the same file that was killed or ended in an error: from the last commit
            that the server has, with the same options. Without an unfinished one it begins at the beginning.
        strict
            Whether what would be a warning (``LoadReport.warnings``) is an error, before anything is written.
        rejects
            Path of the file for rows that were not loaded; True for ``<name>.rejects.csv`` in the working directory,
            False for none.
        max_errors
            Rejected rows after which the load stops, without totals and the like (``summary-row``); None for no limit.
        max_expansion
            Times its size that a compressed file, or a workbook, may have unpacked; up to 64 MB any number.
        batch_size
            Deals in one commit; by default as many as have 2,500 cells, at most 500.
        durability
            ``memory``, ``disk`` or ``replicated``: where all of it has to be when this returns; asked once, at the end.
            By default as the database was opened with.
        progress
            Called after each commit, from another thread, with a ``Progress``; before the first one while the
            source is read.
        bar
            Whether to show a progress bar where standard error is a terminal and there is no ``progress``.

        Raises
        ------
        LoadError
            If the source can't be read at all, no column is the id, dates can be read both ways, an option
            makes no sense, deals exist with ``on_conflict="error"``, more than ``max_errors`` rows were rejected,
            or what is to be resumed was another file, had other options, or is not a file.
        SchemaError
            If ``types`` contradicts fields that exist.
        LoadReset
            If the server loses what it had acknowledged, because it is emptied or set back meanwhile: load again.
        NotDurable
            If the server can't promise that durability, or did not confirm it in time.
        StoreError
            If the server refuses or is gone. What was acknowledged until then stays; loading again continues from it.

        Cost
        ----
        One round trip a commit of ``batch_size`` deals, and a few for each 20,000. From 65,536 deals on, a thread
        reads the log and writes checkpoints meanwhile, and what it reads of the columns stays until the end: about 100
        bytes a deal. Apart from that, memory stays the same whatever the size of a file; a data frame is held as a
        whole. A dry run reads the live columns, sends nothing, and holds what it would have written.

        Source
        ------
        docs/loading.md

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     rows = [{"Deal ID": "7", "Amount": "1,200.50"}, {"Deal ID": "8", "Amount": "-"}]
        ...     report = db.loader.load(rows, rejects=False)
        ...     report.inserted, db.get_deal(7)
        (2, {'id': '7', 'amount': Decimal('1200.50')})
        """
        given = {
            "format": format, "mapping": mapping, "types": types, "dates": dates, "decimal_point": decimal_point,
            "delimiter": delimiter, "null": null, "encoding": encoding, "sheet": sheet, "id_from": id_from,
            "at": at, "on_conflict": on_conflict, "bad_cells": bad_cells, "fold": fold,
            "delete_missing": delete_missing,
        }  # fmt: skip
        if save_mapping is not None:
            checked_name(save_mapping, dry_run=dry_run)
        chosen = self._chosen(given)
        options = LoadOptions(
            **chosen, stages=stages, force=force, everything=everything, dry_run=dry_run, resume=resume, strict=strict,
            rejects=rejects, max_errors=max_errors, max_expansion=max_expansion, batch_size=batch_size,
            durability=durability,
        )  # fmt: skip
        report = load_source(
            self._store, source, options, select=self._selected, progress=progress, bar=bar
        )
        if save_mapping is not None:
            SavedMappings(self._store()).save(save_mapping, SavedMapping.of(chosen, report))
        return report

    def mappings(self) -> dict[str, SavedMapping]:
        """
        Saved mappings by name, in the order of their names.

        Raises
        ------
        LoadError
            If one can't be read, as a later version wrote it.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip.

        Source
        ------
        docs/loading.md#saved-mappings

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     rows = [{"Nr": "7", "Betrag": "1,50"}]
        ...     _ = db.loader.load(rows, mapping={"Nr": "id"}, save_mapping="crm")
        ...     db.loader.mappings()["crm"].options
        {'decimal_point': ',', 'mapping': {'Nr': 'id', 'Betrag': 'amount'}}
        """
        return SavedMappings(self._store()).all()

    def forget_mapping(self, name: str) -> bool:
        """
        Remove a saved mapping; whether there was one.

        Raises
        ------
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip.

        Source
        ------
        docs/loading.md#saved-mappings

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.loader.forget_mapping("crm")
        False
        """
        return SavedMappings(self._store()).forget(name)

    def mapping(self, name: str | Path) -> SavedMapping:
        """
        The saved mapping of a name, or that of a ``.toml`` file.

        Raises
        ------
        LoadError
            If there is none, or it can't be read.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip; none for a file.

        Source
        ------
        docs/loading.md#saved-mappings

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> path = tmp_path.parent / "crm.toml"
        >>> _ = path.write_text('dates = "eu"')
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.loader.mapping(path).options
        {'dates': 'eu'}
        """
        if isinstance(name, Path) or is_file(name):
            return read_mapping(Path(name))
        return SavedMappings(self._store()).named(name)

    def _chosen(self, given: dict[str, Any]) -> dict[str, Any]:
        """Options of a load: those of a mapping that it names, below those that it was given."""
        mapping = given["mapping"]
        if isinstance(mapping, str | Path):
            mapping = self.mapping(mapping)
        if isinstance(mapping, SavedMapping):
            return mapping.below({**given, "mapping": None})
        return {name: value for name, value in given.items() if value is not None}

    def follow(
        self,
        path: str | Path,
        *,
        mapping: Mapping[str, str | None] | SavedMapping | str | Path | None = None,
        types: Mapping[str, str] | None = None,
        dates: str | None = None,
        decimal_point: str | None = None,
        id_from: Sequence[str] | str | None = None,
        on_conflict: str | None = None,
        bad_cells: str | None = None,
        fold: Sequence[str] | str | None = None,
        rejects: str | Path | bool = True,
        batch_size: int | None = None,
        durability: str | None = None,
        from_end: bool = False,
        timeout_s: float | None = None,
        stop: threading.Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> LoadReport:
        r"""
        Load a file of JSON Lines, then each line as it is appended, as ``tail -F`` does.

        It begins at the beginning of the file, so lines that were loaded before are loaded again: with ``merge`` they
        set the deals back to what they say, until later lines follow. Only complete lines are read. A file that is
        truncated, or replaced by another of its name, is read from its beginning. When the server goes away, the
        lines wait until it is back.

        Parameters
        ----------
        path
            The file: UTF-8, an object a line.
        mapping, types, dates, decimal_point, batch_size, durability
            As for ``load``. A column is decided with the first lines that have it, and stays so. The first lines have
            to have all columns of a mapping.
        id_from
            As for ``load``, except for ``"row"``.
        on_conflict
            ``merge``, ``replace`` or ``skip``.
        bad_cells, fold
            As for ``load``. Names are joined with those that the collection has when a line is read.
        rejects
            As for ``load``; rows are added to what the file has.
        from_end
            Whether to load only lines that are completed from now on.
        timeout_s
            Seconds without a new line that end it; 0 for the lines there are, None to follow for ever.
        stop
            Ends it when it is set, with the lines read so far loaded.
        tell
            Gets a message when the file is truncated, replaced or gone, and when the server is away.

        Returns
        -------
        LoadReport
            What was done in all; ids that occur again are not counted as duplicates.

        Raises
        ------
        LoadError
            If the file can't be read, an option makes no sense, or the first lines can't be understood: no column is
            the id, dates can be read both ways. Later lines like that are rejected.
        LoadReset
            If the server loses what it had acknowledged since the follow began; following again loads all of the file.
        StoreError
            If the server refuses, or is gone from the beginning.

        Cost
        ----
        Three round trips and one a commit, ten times a second at most. Memory stays the same.

        Source
        ------
        docs/loading.md#following-a-file

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> path = tmp_path.parent / "deals.jsonl"
        >>> _ = path.write_text('{"id": "7", "stage": "Lead"}\n')
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.loader.follow(path, timeout_s=0.1).inserted
        1
        """
        given = {
            "mapping": mapping, "types": types, "dates": dates, "decimal_point": decimal_point, "id_from": id_from,
            "on_conflict": on_conflict, "bad_cells": bad_cells, "fold": fold,
        }  # fmt: skip
        chosen = followed(self._chosen(given))
        options = LoadOptions(
            **chosen, rejects=rejects, batch_size=batch_size, durability=durability
        )
        return follow(
            self._store, Path(path), options, from_end=from_end, timeout_s=timeout_s,
            stop=stop or threading.Event(), tell=tell or (lambda _: None),
        )  # fmt: skip

    def export(
        self,
        target: str | Path | Any,
        where: str | pl.Expr | pl.DataFrame | Tabular | Mapping[str, Tabular] | None = None,
        *,
        format: str | None = None,
        columns: Sequence[str] | None = None,
        sort: str | Sequence[str] | None = None,
        limit: int | None = None,
        raw: bool = False,
        null: str = "",
    ) -> ExportReport:
        r"""
        Write deals to a file or stream.

        Numbers keep every digit. In CSV and TSV a text (or column name) that a spreadsheet would run as a formula
        gets a leading apostrophe, unless ``raw``; numbers never do.

        Parameters
        ----------
        target
            A path, ``"-"`` for standard output, or a file object opened with ``"wb"``. A path gets its file when
            all is written; until then, and after a failure, what was there stays. Text forms are compressed where
            the name ends in ``.gz`` or ``.zst``.
        where
            Filter as for ``query.find``, or None for all deals; or a data frame to write, as ``query.sql`` gives it,
            the result of a metric, a page, or facets.
        format
            ``csv``, ``tsv``, ``jsonl``, ``json``, ``md`` (Markdown), ``parquet``, ``arrow`` (Feather) or ``xlsx``; by
            default the suffix of the path decides, and a stream is CSV.
        columns
            Columns to write, in this order; None for all.
        sort
            Column, with ``-`` for descending, or several, and equals by their ids; by default an order that is stable
            but unspecified.
        limit
            Most deals to write.
        raw
            Whether texts are written as they are: what is loaded again is then the same, byte for byte.
        null
            What stands for nothing in CSV and TSV. With ``null=r"\N"``, here and in ``load``, an empty text and
            nothing are told apart.

        Raises
        ------
        LoadError
            If the format is not known, the target can't be written, a text equals ``null``, or a sheet of XLSX can't
            hold so many rows or so long a text.
        QueryError
            If the filter, a column or the sort can't be understood.
        MissingExtra
            If the target ends in ``.zst`` and PyArrow is not installed, or in ``.xlsx`` and XlsxWriter is not.

        Cost
        ----
        One round trip. Text is made some thousand deals at a time; XLSX takes 6 to 8 seconds for each 100,000 deals.

        Source
        ------
        docs/loading.md#exporting

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> path = tmp_path.parent / "deals.csv"
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 7, "stage": "Lead"})
        ...     db.loader.export(path, columns=["id", "stage"]).rows
        1
        >>> path.read_text()
        'id,stage\n7,Lead\n'
        """
        frame = self._selected(where, columns=columns, sort=sort, limit=limit)
        return write_frame(frame, target, format=format, raw=raw, null=null)

    def _selected(self, where: object, **options: Any) -> pl.DataFrame:
        table = table_of(where)
        if table is not None:
            given = [name for name, value in options.items() if value is not None]
            if given:
                msg = f"{given[0]} is for filters; a data frame is written as it is"
                raise LoadError(msg)
            return table
        if self._find is None:
            msg = "this loader has no query to select deals with; export a data frame"
            raise LoadError(msg)
        return self._find(where, **options)
