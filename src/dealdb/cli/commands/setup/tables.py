"""The commands ``rates`` and ``quotas``: small tables that figures rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.cli.output.printing import TableFile, print_facts, print_frame, table_file
from dealdb.cli.output.streams import Output, note, say
from dealdb.cli.session import Parquet, Session, Xlsx
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb.database import DealDatabase
    from dealdb.loader.tables.kept import KeptTable

Action = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ACTION",
        help="list, load FILE, delete COLUMN=VALUE..., or clear [default: list].",
    ),
]
AsKnown = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="list: as they were known then.")
]
Rejected = Annotated[
    str | None,
    typer.Option(
        "--rejects", metavar="FILE", help="load: write the rows that can't be taken there."
    ),
]
Forget = Annotated[
    bool, typer.Option("--forget", help="clear: also what was known before, which makes room.")
]


def rates(
    session: Session,
    action: Action = None,
    as_of: AsKnown = None,
    rejects: Rejected = None,
    forget: Forget = False,  # noqa: FBT002 a flag
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the rates of currencies, load more, or delete some.

    A file has the columns date, currency and rate: units of the currency that money is converted to with
    dealdb stats --to, for one unit of the other, from that date to the next one. A rate of the same date and currency
    is replaced.
    """
    _run(
        lambda db: db.rates,
        "rates",
        session,
        action,
        as_of,
        rejects,
        table_file(parquet, xlsx),
        forget=forget,
    )


def quotas(
    session: Session,
    action: Action = None,
    as_of: AsKnown = None,
    rejects: Rejected = None,
    forget: Forget = False,  # noqa: FBT002 a flag
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the quotas, load more, or delete some.

    A file has the columns period_start, period, key, amount and currency. The period is day, week, month, quarter or
    year, or a label such as 2026-Q1, which needs no period_start; the key is the owner. A quota of the same period, key
    and currency is replaced.
    """
    _run(
        lambda db: db.quotas,
        "quotas",
        session,
        action,
        as_of,
        rejects,
        table_file(parquet, xlsx),
        forget=forget,
    )


def _run(
    of: Callable[[DealDatabase], KeptTable],
    name: str,
    session: Session,
    action: list[str] | None,
    as_of: str | None,
    rejects: str | None,
    file: TableFile | None,
    *,
    forget: bool,
) -> None:
    match action or ["list"]:
        case ["list"] if not (rejects or forget):
            with session.open() as db:
                frame = of(db).frame(as_of)
            print_frame(frame, session.output, file)
            if frame.is_empty():
                note(f"no {name} yet: dealdb {name} load FILE.csv")
        case ["load", source] if not (as_of or forget or file):
            _load(of, session, source, rejects)
        case ["delete", *words] if words and not (as_of or rejects or forget or file):
            key = dict(word.split("=", 1) for word in words if "=" in word)
            if len(key) < len(words):
                msg = f"{name} delete takes COLUMN=VALUE, such as currency=USD"
                raise ConfigError(msg)
            with session.open() as db:
                n = of(db).delete(**key)
            _print_deleted(n, session)
        case ["clear"] if not (as_of or rejects or file):
            with session.open() as db:
                n = of(db).clear(forget=forget)
            _print_deleted(n, session)
        case _:
            msg = (
                f"{name} takes list, load FILE, delete COLUMN=VALUE..., or clear; --as-of, --parquet and --xlsx "
                "are for list, --rejects for load, --forget for clear"
            )
            raise ConfigError(msg)


def _load(
    of: Callable[[DealDatabase], KeptTable], session: Session, source: str, rejects: str | None
) -> None:
    with session.open() as db:
        report = of(db).load(source, rejects=rejects)
    facts = {**asdict(report), "rejects": None if report.rejects is None else str(report.rejects)}
    if session.output is Output.TABLE:
        reasons = [f"{reason}: {n:,}" for reason, n in report.reasons.items()]
        facts = {name: value for name, value in facts.items() if value is not None}
        facts["reasons"] = reasons or "-"
    print_facts(facts, session.output)
    if report.rejected:
        note(f"{report.rejected:,} of {report.read:,} rows were rejected")
        raise typer.Exit(1)


def _print_deleted(n: int, session: Session) -> None:
    if session.output is Output.TABLE:
        say(f"{n:,} deleted")
    else:
        print_facts({"deleted": n}, session.output)
