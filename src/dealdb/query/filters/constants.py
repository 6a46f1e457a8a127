"""Values that callers give as Python objects, as constants of filters."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from dealdb.model.moments import as_utc
from dealdb.query.filters.operands import Constant, Unfit

# what stands for several values
MANY = (list, tuple, set, frozenset)


def given_constant(value: object) -> Constant:
    """
    Constant for a Python value, by its type alone.

    Raises
    ------
    Unfit
        If filters have no such type, or the number is not finite.

    Examples
    --------
    >>> given_constant(0.1)
    Decimal('0.1')
    """
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case int() | float() | Decimal():
            # the shortest text of a float is what people mean by it: 0.1 is a tenth
            number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
            if number.is_finite():
                return number
            msg = "the number is not finite"
            raise Unfit(msg)
        case datetime():
            return as_utc(value)
        case date():
            return value
    msg = f"can't be compared with a value of type {type(value).__name__}"
    raise Unfit(msg)
