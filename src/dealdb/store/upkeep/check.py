"""What a check finds: the differences between the hashes and the log."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from dealdb.model.columns import decode_column, encode_column
from dealdb.model.notebook import InNotebook
from dealdb.model.schema import Field, Schema
from dealdb.store.foreign.frames import is_column
from dealdb.store.hashes import Hash
from dealdb.store.replica.snapshot import Snapshot


class Problem(StrEnum):
    """What is wrong with a deal."""

    UNLOGGED = "unlogged"
    CHANGED = "changed"
    VANISHED = "vanished"
    MISPLACED = "misplaced"
    DOUBLED = "doubled"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    One difference between a deal's hash and the log.

    Attributes
    ----------
    deal
        Id of the deal.
    problem
        ``unlogged``: the log has never seen the hash. ``changed``: a field differs. ``vanished``: the hash is gone.
        ``misplaced``: the hash is a copy of another deal's. ``doubled``: the log has the deal twice, since its hash
        was removed or replaced, and then saved. ``unreadable``: a field's text does not fit its type. ``foreign``: it
        is not in the partition of its id, where nobody looks for it.
    field
        The field, where the problem is of one.
    in_hash
        Text that the hash has there, which a repair adopts; None for nothing.
    in_history
        Text that the history has there; None for nothing.
    """

    deal: str
    problem: Problem
    field: str | None = None
    # neither tells one difference from another, and what is logged of one has no values
    in_hash: str | None = dataclasses.field(default=None, compare=False, repr=False)
    in_history: str | None = dataclasses.field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport(InNotebook):
    """
    What a check found.

    Attributes
    ----------
    deals
        Deals that the log knows.
    differences
        By deal; empty when hashes and log agree.
    lost_facts
        Keys of facts kept with the newest checkpoint that are missing or damaged. No deal is affected: metrics read the
        log instead, and ``repair(facts=True)`` makes them again.
    """

    deals: int
    differences: tuple[Difference, ...]
    lost_facts: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether hashes and log agree, and the facts that are kept are whole."""
        return not self.differences and not self.lost_facts


class Logged:
    """Deals as the log has them, to be looked up by id."""

    def __init__(
        self, snapshot: Snapshot, rows: pl.Series, *, only: Sequence[str] | None = None
    ) -> None:
        self.schema = snapshot.schema
        self._frame = snapshot.frame.with_columns(rows.alias("_row"))
        if only is not None:
            self._frame = self._frame.filter(pl.col("id").is_in(only))
        self._places = {deal: place for place, deal in enumerate(self._frame["id"])}
        self.doubled: dict[str, list[int]] = {}
        if len(self._places) < self._frame.height:
            for place, deal in enumerate(self._frame["id"]):
                if self._places[deal] != place or deal in self.doubled:
                    self.doubled.setdefault(deal, []).append(place)

    @property
    def ids(self) -> set[str]:
        """Deals that it has."""
        return set(self._places)

    def rows_of(self, deal: str) -> list[int]:
        """Rows of a deal: one, or none, or several after its hash was replaced by another program."""
        return [self._frame["_row"][place] for place in self._places_of(deal)]

    def _places_of(self, deal: str) -> list[int]:
        place = self._places.get(deal)
        return [] if place is None else self.doubled.get(deal, [place])

    def _place_of(self, deal: str, row: bytes | None) -> int | None:
        """Where the row is that the hash of a deal has."""
        places = self._places_of(deal)
        return next((p for p in places if str(self._frame["_row"][p]).encode() == row), None)

    def texts_of(self, hashes: dict[str, Hash]) -> dict[str, dict[str, str]]:
        """Texts by field of those deals that the log has in the row of their hash."""
        found = {deal: self._place_of(deal, h.get(b"_row")) for deal, h in hashes.items()}
        return self._texts_at({deal: place for deal, place in found.items() if place is not None})

    def last_texts(
        self, hashes: Mapping[str, Hash], deals: Sequence[str]
    ) -> dict[str, dict[str, str]]:
        """Texts by field of those deals that the log has, without ids: in the row of the hash, or else in the last."""
        places: dict[str, int] = {}
        for deal in deals:
            place = self._place_of(deal, hashes.get(deal, {}).get(b"_row"))
            known = self._places_of(deal) if place is None else [place]
            places.update(dict.fromkeys([deal], known[-1]) if known else {})
        texts = self._texts_at(places)
        return {
            deal: {name: text for name, text in each.items() if name != "id"}
            for deal, each in texts.items()
        }

    def _texts_at(self, places: Mapping[str, int]) -> dict[str, dict[str, str]]:
        part = self._frame[list(places.values())]
        columns = [encode_column(part[f.name], f).alias(f.name) for f in self.schema.fields]
        texts = pl.DataFrame(columns)
        return {
            deal: {name: text for name, text in row.items() if text is not None}
            for deal, row in zip(places, texts.iter_rows(named=True), strict=True)
        }


class Comparison:
    """
    A comparison of all hashes with the log, some at a time: it finds what is to be looked at once more.

    Parameters
    ----------
    logged
        All deals as the log has them.
    """

    def __init__(self, logged: Logged) -> None:
        self.logged = logged
        self._seen: set[str] = set()
        self._suspects: set[str] = set()

    def add(self, hashes: dict[str, Hash]) -> None:
        """Compare some hashes; one may come twice."""
        self._seen.update(hashes)
        self._suspects.update(each.deal for each in compare(hashes, self.logged))

    def suspects(self) -> list[str]:
        """Deals of which a look at both did not show that they are the same, once all hashes were compared."""
        gone = self.logged.ids - self._seen
        return sorted(self._suspects | gone | set(self.logged.doubled))


def compare(hashes: dict[str, Hash], logged: Logged) -> Iterator[Difference]:
    """Differences of these deals, as far as a look at both shows: a commit may have come in between."""
    expected = logged.texts_of(hashes)
    for deal, fields in hashes.items():
        if b"_row" not in fields:
            yield Difference(deal=deal, problem=Problem.UNLOGGED)
        elif deal not in expected:
            yield Difference(deal=deal, problem=Problem.MISPLACED)
        else:
            if deal in logged.doubled:
                yield Difference(deal=deal, problem=Problem.DOUBLED)
            yield from _compare_fields(deal, fields, expected[deal], logged.schema)


def _compare_fields(
    deal: str, fields: Hash, expected: dict[str, str], schema: Schema
) -> Iterator[Difference]:
    actual = {
        name.decode(errors="replace"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    for name in sorted(filter(is_column, actual.keys() | expected.keys())):
        text, known = actual.get(name), expected.get(name)
        if text == known:
            if not _is_utf8(fields.get(name.encode(), b"")):
                # the log has it with signs in the place of what can't be read
                yield _of_field(deal, name, Problem.UNREADABLE, text, known)
            continue
        field = schema.get(name)
        canonical = _canonical(text, field) if field and text is not None else text
        if canonical is None and known is None:
            yield _of_field(deal, name, Problem.UNREADABLE, text, known)
        elif canonical != known:
            yield _of_field(deal, name, Problem.CHANGED, text, known)


def _of_field(
    deal: str, name: str, problem: Problem, text: str | None, known: str | None
) -> Difference:
    return Difference(deal=deal, problem=problem, field=name, in_hash=text, in_history=known)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _canonical(text: str, field: Field) -> str | None:
    """The text as dealdb would have written it, or None when it does not fit the field's type."""
    value = decode_column(pl.Series([text], dtype=pl.String), field)
    canonical: str | None = encode_column(value, field).item()
    return canonical
