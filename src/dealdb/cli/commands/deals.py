"""The commands for single deals: ``get``, ``save``, ``delete``."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.completion import complete_pair
from dealdb.cli.output.printing import print_facts, print_rows, save_rows, table_file
from dealdb.cli.output.streams import Output, agrees, note, say
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.cli.settings import DURABILITIES
from dealdb.errors import ConfigError, DealNotFound
from dealdb.formats.cells import to_cell
from dealdb.formats.exact_json import exact_number

if TYPE_CHECKING:
    from dealdb import Deal

Durable = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where a change has to be: memory, disk or replicated [default: as configured].",
        autocompletion=lambda: list(DURABILITIES),
    ),
]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of deals.")]


def get(
    session: Session, ids: Ids, at: At = None, parquet: Parquet = None, xlsx: Xlsx = None
) -> None:
    """
    Print deals by their ids.

    With --json one id gives an object, several give an array. _rev is the revision that save --expect-rev takes.
    An id that does not exist is named on stderr, and the exit code is 1.
    """
    file = table_file(parquet, xlsx)
    with session.open() as db:
        deals = db.get_deals(ids) if at is None else list(map(db.as_of(at).get_deal, ids))
    found = [_with_revision(deal) for deal in deals if deal is not None]
    if len(ids) == 1 and found and file is None:
        print_facts(found[0], session.output)
    elif found:
        columns = list(dict.fromkeys(name for deal in found for name in deal))
        save_rows(found, columns, session.output, file)
    _fail_for_missing(id_ for id_, deal in zip(ids, deals, strict=True) if deal is None)


def keys(session: Session, ids: Ids) -> None:
    """
    Print where deals are kept.

    That is a key, a partition, and in a cluster a slot and a node. A deal that does not exist has its place, too.
    """
    with session.open() as db:
        places = [{"id": id_, **db.place_of(id_)._asdict()} for id_ in ids]
    shown = [name for name, value in places[0].items() if value is not None]
    print_rows(places, shown, session.output)


def save(
    session: Session,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE",
            help="Fields to set; FIELD= clears one.",
            autocompletion=complete_pair,
        ),
    ] = None,
    json_input: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read a JSON object, or an array of them; - is stdin."),
    ] = None,
    expect_rev: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Save only if the deal still has this revision; 0: the deal is new."
        ),
    ] = None,
    durability: Durable = None,
) -> None:
    """
    Insert a deal, or change fields of one.

    Fields that are not named stay as they are. Each deal is one commit, and is on the server when its line is printed.
    A column that is new is reported on stderr.
    """
    if json_input and values:
        msg = "FIELD=VALUE and --json-input exclude each other"
        raise ConfigError(msg)
    deals = _deals_from_json(json_input) if json_input else [_deal_from_pairs(values or [])]
    saved = []
    with session.open() as db:
        known = db.schema
        for deal in deals:
            result = db.save_deal(deal, expect_rev=expect_rev, durability=durability)
            saved.append({"id": result.id, "outcome": result.outcome, "rev": result.rev})
            if session.output is Output.TABLE:
                say(f"{to_cell(result.id)}: {result.outcome}, revision {result.rev}")
    if session.output is not Output.TABLE:
        print_rows(saved, ["id", "outcome", "rev"], session.output)
    for name in dict.fromkeys(
        name for deal in deals for name, value in deal.items() if value is not None
    ):
        if name not in known:
            note(f"new column {name!r}{_near(name, known)}")


def delete(
    session: Session,
    ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 a flag
    durability: Durable = None,
) -> None:
    """
    Delete deals by their ids.

    At a terminal it asks first. An id that does not exist is named on stderr, and the exit code is 1.
    """
    what = f"deal {to_cell(ids[0])}" if len(ids) == 1 else f"{len(ids)} deals"
    if not yes and sys.stdin.isatty() and not agrees(f"Delete {what}?"):
        note("nothing deleted")
        raise typer.Exit(1)
    with session.open() as db:
        deleted = {id_: db.delete_deal(id_, durability=durability) for id_ in dict.fromkeys(ids)}
    rows = [{"id": id_, "outcome": "deleted"} for id_, done in deleted.items() if done]
    if session.output is not Output.TABLE:
        print_rows(rows, ["id", "outcome"], session.output)
    else:
        for row in rows:
            say(f"{to_cell(row['id'])}: deleted")
    _fail_for_missing(id_ for id_, done in deleted.items() if not done)


def _near(name: str, known: Iterable[str]) -> str:
    """What else a new column was most likely meant to be."""
    names = list(known)
    same = next((each for each in names if each.lower() == name.lower()), None)
    if same is not None:
        return f", next to {same!r}"
    # "close" is nearer to "closed" than to "expected_close", and no column is meant by a single letter
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.75)
    return f"; did you mean {near[0]!r}? dealdb schema drop {name!r} takes it away" if near else ""


def _with_revision(deal: Deal) -> dict[str, Any]:
    # a deal of the past has none: nothing can be saved against it
    return {**deal, "_rev": deal.rev} if deal.rev else dict(deal)


def _fail_for_missing(ids: Iterable[str]) -> None:
    missing = [DealNotFound(id_) for id_ in ids]
    for error in missing:
        note(f"error: {error}")
    if missing:
        raise typer.Exit(1)


def _deal_from_pairs(pairs: list[str]) -> dict[str, str | None]:
    if not pairs:
        msg = "nothing to save: give FIELD=VALUE pairs, such as id=42 stage=Won, or --json-input"
        raise ConfigError(msg)
    deal: dict[str, str | None] = {}
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not equals or not field:
            msg = f"{pair!r} is not FIELD=VALUE"
            raise ConfigError(msg)
        if field in deal:
            msg = f"field {field!r} is given twice"
            raise ConfigError(msg)
        deal[field] = value or None
    return deal


def _deals_from_json(source: str) -> list[dict[str, Any]]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        document = json.loads(text, parse_float=exact_number)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"--json-input {source}: {error}"
        raise ConfigError(msg) from error
    deals = document if isinstance(document, list) else [document]
    for number, deal in enumerate(deals, start=1):
        if not isinstance(deal, dict):
            msg = f"--json-input {source}: item {number} is not an object"
            raise ConfigError(msg)
    return deals
