"""Options of a load that are kept by name, so that the next load of such a source needs no others."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dealdb.errors import LoadError
from dealdb.loader.load_options import ID_HEADER
from dealdb.loader.report import LoadReport, MappedColumn
from dealdb.loader.store_protocol import KeepsTexts
from dealdb.model.names import unknown
from dealdb.model.schema import STANDARD_NAMES

VERSION = 1
# in the hash of saved queries, no name of which has a colon
PREFIX = "mapping:"
_SUFFIX = ".toml"
# a column that the loader adds where the name of another says its currency
CURRENCY_OF = "currency of "
_NAME = re.compile(r"\w[\w .-]{0,62}")
_TEXTS = (
    "format", "dates", "decimal_point", "delimiter", "null", "encoding", "sheet", "on_conflict", "bad_cells",
    "missing_where", "at",
)  # fmt: skip
_LISTS = ("id_from", "fold")
_TABLES = ("mapping", "types")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMapping:
    """
    Options of ``DataLoader.load`` by name, as they are kept.

    Attributes
    ----------
    options
        Those that were given or found out. ``missing_where`` says which deals ``delete_missing`` may delete, where a
        load asks for that; it deletes nothing by itself.

    Examples
    --------
    >>> print(
    ...     SavedMapping(
    ...         options={"dates": "eu", "mapping": {"Betrag": "amount", "junk": None}}
    ...     ).to_toml(),
    ...     end="",
    ... )
    version = 1
    dates = "eu"
    <BLANKLINE>
    [mapping]
    "Betrag" = "amount"
    "junk" = ""
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any], report: LoadReport) -> SavedMapping:
        """What a load was given, and what it found out that another day's rows might not show."""
        kept = {name: options[name] for name in (*_TEXTS, *_LISTS) if options.get(name) is not None}
        if isinstance(where := options.get("delete_missing"), str):
            kept["missing_where"] = where
        found = {
            each.header: each.field for each in report.columns if _is_found(each, report.columns)
        }
        tables = {
            "mapping": {**found, **(options.get("mapping") or {})},
            "types": dict(options.get("types") or {}),
        }
        tables = {name: table for name, table in tables.items() if table}
        return cls(options={**report.decided, **kept, **tables})

    @classmethod
    def from_toml(cls, text: str, name: str) -> SavedMapping:
        """
        Mapping of a text.

        Parameters
        ----------
        text
            As ``to_toml`` writes it, or a person.
        name
            What an error calls it.

        Raises
        ------
        LoadError
            If it isn't TOML, a later version wrote it, or a key or a value makes no sense.
        """
        try:
            content = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as problem:
            msg = f"mapping {name}: it is not TOML: {problem}"
            raise LoadError(msg) from problem
        version = content.pop("version", VERSION)
        if version != VERSION:
            msg = f"mapping {name}: it has version {version!r}, and this dealdb reads {VERSION}: upgrade dealdb"
            raise LoadError(msg)
        for key, value in content.items():
            _check(key, value, name)
        if table := content.get("mapping"):
            content["mapping"] = {header: target or None for header, target in table.items()}
        return cls(options=content)

    def to_toml(self) -> str:
        """The text that is kept: TOML with a line for each option."""
        lines = [f"version = {VERSION}"]
        lines += [f"{k} = {_quoted(self.options[k])}" for k in _TEXTS if k in self.options]
        for name in _LISTS:
            if name in self.options:
                value = self.options[name]
                names = [value] if isinstance(value, str) else value
                lines.append(f"{name} = [{', '.join(map(_quoted, names))}]")
        for name in _TABLES:
            if table := self.options.get(name):
                lines += ["", f"[{name}]"]
                lines += [f"{_quoted(key)} = {_quoted(each or '')}" for key, each in table.items()]
        return "\n".join(lines) + "\n"

    def below(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """
        Options of one load: those that it was given, and these where it was not.

        Parameters
        ----------
        given
            By the names of ``load``; None for those that were not given. A column that is given as a field takes it
            from the column that is saved as that.
        """
        options = {name: value for name, value in given.items() if value is not None}
        saved = dict(self.options)
        where = saved.pop("missing_where", None)
        if where is not None and options.get("delete_missing") is True:
            options["delete_missing"] = where
        mine = options.get("mapping") or {}
        taken = {target for target in mine.values() if target}
        table = {h: t for h, t in saved.pop("mapping", {}).items() if t not in taken or h in mine}
        types = {**saved.pop("types", {}), **(options.get("types") or {})}
        return {**saved, **options, "mapping": {**table, **mine} or None, "types": types or None}

    def with_columns(self, mapping: Mapping[str, str | None]) -> SavedMapping:
        """The same with other fields for some columns."""
        table = self.below({"mapping": mapping})["mapping"] or {}
        return SavedMapping(options={**self.options, "mapping": table})


class SavedMappings:
    """
    The mappings that are kept with a collection.

    Parameters
    ----------
    store
        Where they are kept.

    Raises
    ------
    LoadError
        If nothing is kept there.
    """

    def __init__(self, store: object) -> None:
        if not isinstance(store, KeepsTexts):
            msg = "mappings are kept with a collection, and this loader has none"
            raise LoadError(msg)
        self._store = store

    def all(self) -> dict[str, SavedMapping]:
        """All of them by name, in the order of their names."""
        texts = self._texts()
        return {name: SavedMapping.from_toml(texts[name], repr(name)) for name in sorted(texts)}

    def named(self, name: str) -> SavedMapping:
        """
        The one of a name.

        Raises
        ------
        LoadError
            If there is none; names the nearest.
        """
        texts = self._texts()
        if name in texts:
            return SavedMapping.from_toml(texts[name], repr(name))
        if not texts:
            msg = f"no saved mapping {name[:80]!r}; none is saved (a file ends in {_SUFFIX})"
            raise LoadError(msg)
        raise LoadError(unknown("saved mapping", name, sorted(texts)))

    def save(self, name: str, mapping: SavedMapping) -> None:
        """Keep one, in place of one of the same name."""
        self._store.save_query(PREFIX + checked_name(name), mapping.to_toml())

    def forget(self, name: str) -> bool:
        """Remove one; whether there was one."""
        return self._store.forget_query(PREFIX + name)

    def _texts(self) -> dict[str, str]:
        kept = self._store.saved_queries().items()
        return {k.removeprefix(PREFIX): text for k, text in kept if k.startswith(PREFIX)}


def checked_name(name: str, *, dry_run: bool = False) -> str:
    """
    Name that a mapping may have.

    Raises
    ------
    LoadError
        If it isn't 1 to 63 letters, digits, spaces, ``_ . -``, or ends like a file; or nothing is to be written.
    """
    if dry_run:
        msg = "a dry run saves no mapping: leave out dry_run or save_mapping"
        raise LoadError(msg)
    if isinstance(name, str) and _NAME.fullmatch(name) and not name.endswith(_SUFFIX):  # type: ignore[redundant-expr]  # callers may be untyped
        return name
    msg = f"a mapping's name is 1 to 63 letters, digits, spaces, _ . and -, without {_SUFFIX}, not {str(name)[:80]!r}"
    raise LoadError(msg)


def read_mapping(path: Path) -> SavedMapping:
    """
    Mapping of a file.

    Raises
    ------
    LoadError
        If it can't be read, or holds none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as problem:
        msg = f"mapping {path} can't be read: {problem}"
        raise LoadError(msg) from problem
    return SavedMapping.from_toml(text, str(path))


def is_file(name: str) -> bool:
    """Whether a text is the path of a mapping, not the name of one."""
    return name.endswith(_SUFFIX)


def _is_found(column: MappedColumn, columns: Sequence[MappedColumn]) -> bool:
    """Whether a column is worth keeping: which one is a field of the figures may depend on the cells of a day."""
    twice = sum(each.field == column.field for each in columns) > 1
    made = column.header == ID_HEADER or column.header.startswith(CURRENCY_OF)
    return column.field in (*STANDARD_NAMES, "close_date") and not twice and not made


def _check(key: str, value: object, name: str) -> None:
    known = (*_TEXTS, *_LISTS, *_TABLES)
    if key not in known:
        msg = f"mapping {name}: {unknown('option', key, known)}"
        raise LoadError(msg)
    texts: object = [value]
    if key in _LISTS:
        texts = value
    elif key in _TABLES:
        texts = list(value.values()) if isinstance(value, dict) else None
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        kind = (
            "a text"
            if key in _TEXTS
            else "a list of texts"
            if key in _LISTS
            else "a table of texts"
        )
        msg = f"mapping {name}: {key} is {kind}"
        raise LoadError(msg)


def _quoted(text: str) -> str:
    # what JSON escapes TOML does too, but for one character
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
