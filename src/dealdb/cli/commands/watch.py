"""The command ``watch``: commits as they happen, a line each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.commands.find import Where
from dealdb.cli.output.streams import Output, bold, note, say
from dealdb.cli.output.table import CELLS
from dealdb.cli.session import Session
from dealdb.errors import ConfigError, ServerUnavailable
from dealdb.formats.cells import to_cell, to_json
from dealdb.formats.terminal import cut

if TYPE_CHECKING:
    from dealdb import Commit, DealChange, DealDatabase, Feed

# deals of a commit that a line shows one by one; of more it only shows how many
SHOWN_DEALS = 3
# the feed has waited with growing pauses before it gave up
_RETRY_S = 1.0
Keeps = Callable[["Commit"], "list[DealChange]"]


def watch(
    session: Session,
    where: Where = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Begin after this: a token or number of a commit, a date, a moment; 0 is all [default: now].",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", help="End after this many lines.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="End when nothing happens for this long; 0 prints what there is.",
        ),
    ] = None,
) -> None:
    """
    Print commits as they happen, a line each.

    Ctrl-C ends it. A filter selects deals that it keeps now, or kept until now. With --json or --jsonl a line is
    an object; its token is what --since takes to continue from there. Of several partitions, seq counts in each, and
    only the first one's commits say that fields or stages were defined. When the server goes away, it waits for it.
    """
    if session.output not in (Output.TABLE, Output.JSON, Output.JSONL):
        msg = f"watch prints lines or, with --jsonl, objects; leave out --{session.output}"
        raise ConfigError(msg)
    if count is not None and count < 1:
        msg = f"--count is a number of lines from 1 up, not {count}"
        raise ConfigError(msg)
    line = _text_line if session.output is Output.TABLE else _json_line
    with session.open() as db, db.changes(since, timeout_s=timeout) as feed:
        keeps = _all_deals if where is None else _kept_deals(db, where)
        kept = ((commit, keeps(commit)) for commit in _lasting(feed) if not commit.only_follows)
        wanted = ((commit, deals) for commit, deals in kept if deals or where is None)
        for commit, deals in islice(wanted, count):
            say(line(commit, deals))
            # a reader of a pipe wants each line when it happens
            sys.stdout.flush()


def _lasting(feed: Feed) -> Iterator[Commit]:
    """Commits of a feed, also beyond times without a server."""
    away = False
    while True:
        try:
            commit = next(feed, None)
        except ServerUnavailable as problem:
            if not away:
                note(f"{problem}; waiting for it")
            away = True
            time.sleep(_RETRY_S)
            continue
        if commit is None:
            return
        away = False
        yield commit


def _all_deals(commit: Commit) -> list[DealChange]:
    return list(commit.deals)


def _kept_deals(db: DealDatabase, where: str) -> Keeps:
    """Changes of deals that the filter keeps now, or kept at the last look."""
    kept = set(db.query.find(where, columns=["id"])["id"])

    def keeps(commit: Commit) -> list[DealChange]:
        ids = {deal.id for deal in commit.deals}
        before = kept & ids
        kept.difference_update(ids)
        if ids:
            kept.update(db.query.find(where, columns=["id"], id=sorted(ids))["id"])
        return [deal for deal in commit.deals if deal.id in before or deal.id in kept]

    return keeps


def _text_line(commit: Commit, deals: list[DealChange]) -> str:
    """
    A commit for people.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> from dealdb import Commit, DealChange, Schema
    >>> deal = DealChange(id="42", outcome="updated", values={"amount": Decimal(5), "stage": None})
    >>> when = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
    >>> commit = Commit(
    ...     seq=5,
    ...     when=when,
    ...     actor="ann",
    ...     kind="save",
    ...     deals=(deal,),
    ...     token="",
    ...     schema=Schema(1, ()),
    ... )
    >>> _text_line(commit, [deal])
    '2026-10-01T12:30:00Z  ann  42 updated: amount=5, stage cleared'
    """
    when = to_cell(commit.when.replace(microsecond=0))
    return f"{when}  {to_cell(commit.actor) or '-'}  {_what(commit, deals)}"


def _what(commit: Commit, deals: list[DealChange]) -> str:
    if not deals:
        return {"delete": "leftover rows removed"}.get(commit.kind, f"{commit.kind} defined")
    if len(deals) <= SHOWN_DEALS:
        return "; ".join(map(_deal_text, deals))
    outcomes = [deal.outcome for deal in deals]
    counts = {name: outcomes.count(name) for name in ("inserted", "updated", "deleted")}
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)


def _deal_text(deal: DealChange) -> str:
    # the stamp says when, and so does the line
    values = {name: value for name, value in deal.values.items() if name != "updated"}
    fields = ", ".join(_field_text(name, value) for name, value in values.items())
    return f"{bold(to_cell(deal.id))} {deal.outcome}" + (f": {fields}" if fields else "")


def _field_text(name: str, value: Any) -> str:
    if value is None:
        return f"{to_cell(name)} cleared"
    return f"{to_cell(name)}={cut(to_cell(value), CELLS[0])}"


def _json_line(commit: Commit, deals: list[DealChange]) -> str:
    return to_json(
        {
            "seq": commit.seq,
            "partition": commit.partition,
            "when": commit.when,
            "actor": commit.actor,
            "kind": commit.kind,
            "deals": [
                {"id": deal.id, "outcome": deal.outcome, "values": deal.values} for deal in deals
            ],
            "token": commit.token,
        }
    )
