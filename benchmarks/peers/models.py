"""Object mappers on Redis: redis-om, walrus and rom. One that is not installed is left out."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.servers import Server

Rows = Sequence[Mapping[str, Any]]


def redis_om_ways(server: Server, rows: Rows) -> dict[str, Callable[[], object]]:
    """``add`` for many and ``save`` for each; the server needs the search module."""
    from redis_om import Field, HashModel, Migrator, get_redis_connection

    class OmDeal(HashModel, index=True):  # type: ignore[call-arg]  # absent where types are checked
        name: str = Field(full_text_search=True, index=True)
        company: str = Field(full_text_search=True, index=True)
        owner: str = Field(index=True)
        stage: str = Field(index=True)
        amount: decimal.Decimal = Field(index=True, sortable=True)
        source: str = Field(index=True)
        created: datetime.date = Field(index=True)
        expected_close: datetime.date = Field(index=True)

        class Meta:
            database = get_redis_connection(url=server.url)

    Migrator().run()
    models = [OmDeal(pk=row["id"], **_without_id(row)) for row in rows]
    return {
        "redis-om add": lambda: OmDeal.add(models),
        "redis-om save": lambda: [model.save() for model in models],
    }


def walrus_way(server: Server, rows: Rows) -> Callable[[], object]:
    from walrus import Database, DateField, FloatField, Model, TextField

    host, port = server.address

    class WalrusDeal(Model):
        __database__ = Database(host=host, port=port, db=server.db)
        id = TextField(primary_key=True)
        name = TextField()
        company = TextField()
        owner = TextField(index=True)
        stage = TextField(index=True)
        # it has no decimals
        amount = FloatField(index=True)
        source = TextField(index=True)
        created = DateField(index=True)
        expected_close = DateField(index=True)

    given = [{**row, "amount": float(row["amount"])} for row in rows]
    return lambda: [WalrusDeal.create(**row) for row in given]


def rom_way(server: Server, rows: Rows) -> Callable[[], object]:
    import rom

    host, port = server.address
    rom.util.set_connection_settings(host=host, port=port, db=server.db)

    # a class of that name can be made once only
    made = getattr(rom_way, "model", None)
    if made is None:

        class RomDeal(rom.Model):
            name = rom.Text()
            company = rom.Text()
            owner = rom.Text(index=True, keygen=rom.IDENTITY)
            stage = rom.Text(index=True, keygen=rom.IDENTITY)
            amount = rom.Decimal(index=True)
            source = rom.Text(index=True, keygen=rom.IDENTITY)
            created = rom.Date(index=True)
            expected_close = rom.Date(index=True)

        made = RomDeal
        rom_way.model = made  # type: ignore[attr-defined]
    given = [_without_id(row) for row in rows]

    def save() -> None:
        for row in given:
            made(**row)
        rom.session.commit()
        rom.session.rollback()

    return save


def _without_id(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}
