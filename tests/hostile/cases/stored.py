"""What another program, or an evil one, leaves on the server."""

from __future__ import annotations

from decimal import Decimal

from hostile.case import World, case


@case("a number of 30 digits in a hash")
def long_number(world: World) -> None:
    db = world.database()
    db.save_deal({"id": "1", "amount": "5"})
    world.client().hset("deal:1", "amount", "9" * 30)
    deal = db.get_deal("1")
    assert deal is not None
    assert deal["amount"] == Decimal("9" * 30)
