"""
Columns of numbers as people and programs write them, turned into the one text that the store keeps.

Digits are moved as text from end to end: no amount passes through a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from dealdb.errors import SchemaError
from dealdb.model.decimals import FLOAT_DIGITS, number_of, plain_digits
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode

# what values.encode writes, up to 18 digits a side: such cells are taken as they are
_CANONICAL = (
    r"^(?:0|-?[1-9][0-9]{0,17}|-?[1-9][0-9]{0,17}\.[0-9]{0,17}[1-9]|-?0\.[0-9]{0,17}[1-9])$"
)
_FLOAT = r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$"
_CANONICAL_INT = r"^(?:0|-?[1-9][0-9]{0,17})$"

_CODES = """
AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR JPY KES KRW MXN MYR
NGN NOK NZD PHP PLN RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR
"""
_CURRENCY = rf"(?:US\$|[$€£¥₹₽₩₪₺฿]|kr\.?|zł|Rs\.?|{'|'.join(_CODES.split())})"
_SPACES = r"[\s\u{a0}\u{202f}]*"
_GROUPED = r"[0-9]{1,3}(?:[GROUP][0-9]{2,3})*[GROUP][0-9]{3}"
_NUMBER = rf"(?:(?:{_GROUPED}|[0-9]+)(?:POINT[0-9]*)?|POINT[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?"
_AROUND = rf"^{_SPACES}(?P<open>\()?(?P<before>[+-])?{_SPACES}{_CURRENCY}?{_SPACES}(?P<inner>[+-])?{_SPACES}"
_BEHIND = rf"{_SPACES}{_CURRENCY}?{_SPACES}(?P<after>-)?\)?{_SPACES}$"

# which character is the decimal point, where only one reading makes sense
_SAYS_COMMA = (
    r"^[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*$|^[0-9 ']+,(?:[0-9]{1,2}|[0-9]{4,})$"
    r"|^[0-9]{1,3}(?:\.[0-9]{3}){2,}$"
)
_SAYS_POINT = (
    r"^[0-9]{1,3}(?:,[0-9]{2,3})+\.[0-9]*$|^[0-9]{1,3}(?:,[0-9]{2,3})+,[0-9]{3}$"
    r"|^[0-9 ']+\.(?:[0-9]{1,2}|[0-9]{4,})$"
)
_SAYS_NEITHER = r"^[0-9]{1,3},[0-9]{3}$"


@dataclass(slots=True)
class PointEvidence:
    """
    Cells of a column that show how it writes decimals.

    Attributes
    ----------
    point, comma
        Cells that make sense only with that character as the decimal point.
    either
        Cells such as ``1,234`` that could be read both ways.
    """

    point: int = 0
    comma: int = 0
    either: int = 0

    def add(self, texts: pl.Series) -> None:
        """Count the cells of some more rows."""
        odd = texts.filter(~texts.str.contains(_CANONICAL_INT))
        if not odd.str.contains(r",|\..*\.").any():
            return
        digits = odd.str.extract(r"([0-9](?:[0-9.,' ]*[0-9.,])?)")
        self.point += int(digits.str.contains(_SAYS_POINT).sum())
        self.comma += int(digits.str.contains(_SAYS_COMMA).sum())
        self.either += int(digits.str.contains(_SAYS_NEITHER).sum())

    def decimal_point(self) -> str:
        """
        The character that the column uses as its decimal point.

        Examples
        --------
        >>> evidence = PointEvidence()
        >>> evidence.add(pl.Series(["1.234,50", "99"]))
        >>> evidence.decimal_point()
        ','
        """
        return "," if self.comma and not self.point else "."


def decimals(texts: pl.Series, point: str = ".") -> pl.Series:
    """
    Numbers of a column in plain digits; null where a cell is not a number.

    Parameters
    ----------
    texts
        Cells.
    point
        Character before the fraction; the other of ``.`` and ``,`` then separates groups of digits.

    Examples
    --------
    >>> decimals(pl.Series(["$1,234.50", "17,50,000", "(12)", "1e3", "ten"])).to_list()
    ['1234.5', '1750000', '-12', '1000', None]
    >>> decimals(pl.Series(["€ 1.234,50", "1.234"]), ",").to_list()
    ['1234.5', '1234']
    """
    # 1.234 is canonical, and yet 1234 where the comma is the decimal point
    canonical = _CANONICAL if point == "." else _CANONICAL_INT
    return _where_not(canonical, texts, lambda odd: _plain(odd, point))


def integers(texts: pl.Series, point: str = ".") -> pl.Series:
    """
    Whole numbers of at most 64 bits; null where a cell is not one.

    Examples
    --------
    >>> integers(pl.Series(["12", "1,200", "3.0", "1.5"])).to_list()
    ['12', '1200', '3', None]
    """
    whole = Field("number", FieldType.INT)
    return _where_not(
        _CANONICAL_INT, texts, lambda odd: by_unique(_plain(odd, point), _encoder(whole))
    )


def floats(texts: pl.Series, point: str = ".") -> pl.Series:
    """Floating-point numbers; null where a cell is not one."""
    number = Field("number", FieldType.FLOAT)
    if point != ".":
        return by_unique(_plain(texts, point), _encoder(number))
    # as programs write them: plain digits would lose the sign of -0.0, and can't spell out 5e-324
    written = texts.str.contains(_FLOAT).fill_null(value=False)
    plain = by_unique(_plain(texts.filter(~written), point), _encoder(number))
    as_written = by_unique(texts.filter(written), lambda text: _finite(float(text)))
    return _scattered(_scattered(texts, ~written, plain), written, as_written)


def _finite(number: float) -> str | None:
    return repr(number) if math.isfinite(number) else None


def probabilities(texts: pl.Series, point: str, *, of_hundred: bool) -> pl.Series:
    """
    Probabilities from 0 to 1; null where a cell is not one.

    Parameters
    ----------
    texts
        Cells; one that ends in ``%`` is a share of hundred whatever the rest of the column is.
    point
        Character before the fraction.
    of_hundred
        Whether the column counts to 100.

    Examples
    --------
    >>> probabilities(pl.Series(["60", "7.5%", "1000"]), ".", of_hundred=True).to_list()
    ['0.6', '0.075', None]
    """
    percent = texts.str.contains("%", literal=True)
    numbers = decimals(texts.str.strip_chars(" %\u00a0"), point)
    shares = by_unique(numbers.filter(percent | of_hundred), _hundredth)
    whole = by_unique(numbers.filter(~(percent | of_hundred)), _unit)
    return _scattered(
        _scattered(texts, percent | of_hundred, shares), ~(percent | of_hundred), whole
    )


def without_noise(texts: pl.Series) -> pl.Series:
    """
    Floats as decimals are saved: without the digits that arithmetic leaves behind the fifteenth.

    Examples
    --------
    >>> without_noise(pl.Series(["0.30000000000000004", "0.5", None])).to_list()
    ['0.3', '0.5', None]
    """
    is_long = (texts.str.len_bytes() > FLOAT_DIGITS).fill_null(value=False)
    return _scattered(texts, is_long, by_unique(texts.filter(is_long), _rounded))


def _rounded(text: str) -> str:
    # infinity stays as it is, to be rejected
    number = number_of(float(text))
    return text if number is None else plain_digits(number) or text


def greatest(texts: pl.Series) -> float:
    """Greatest number of a column, those with a percent sign left out; 0 for none."""
    numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
    return float(numbers.max() or 0)  # type: ignore[arg-type]  # a Float64 column has float values


def scale_of_texts(texts: pl.Series) -> int:
    """
    Digits after the point that the longest fraction of a column of plain numbers has.

    Examples
    --------
    >>> scale_of_texts(pl.Series(["10", "0.125", None]))
    3
    """
    places = texts.str.len_bytes() - texts.str.find(".", literal=True) - 1
    return int(places.max() or 0)  # type: ignore[arg-type]  # an integer column has int values


def by_unique(texts: pl.Series, change: Callable[[str], str | None]) -> pl.Series:
    """Column with each text changed; the function runs once for each distinct text."""
    distinct = texts.drop_nulls().unique()
    after = pl.Series([change(text) for text in distinct], dtype=pl.String)
    return texts.replace_strict(distinct, after, default=None, return_dtype=pl.String)


def _where_not(
    pattern: str, texts: pl.Series, change: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    done = texts.str.contains(pattern)
    return texts if done.all() else _scattered(texts, ~done, change(texts.filter(~done)))


def _scattered(texts: pl.Series, where: pl.Series, new: pl.Series) -> pl.Series:
    return texts.clone().scatter(where.arg_true(), new) if new.len() else texts


def _plain(texts: pl.Series, point: str) -> pl.Series:
    """Any number, however it is written, in plain digits; null for what is not one."""
    if point == ".":
        # 12.50 is by far the most frequent reason to come here
        return _where_not(_CANONICAL, _trimmed(texts), lambda odd: _spelled_out(odd, point))
    return _spelled_out(texts, point)


def _trimmed(texts: pl.Series) -> pl.Series:
    cell = pl.col("cell")
    return (
        texts.to_frame("cell")
        .select(
            pl.when(cell.str.contains(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"))
            .then(cell.str.strip_chars_end("0").str.strip_chars_end("."))
            .otherwise(cell)
        )
        .to_series()
    )


def _spelled_out(texts: pl.Series, point: str) -> pl.Series:
    group = ("." if point == "," else ",") + r"'\u{2019} \u{a0}\u{202f}"
    number = _NUMBER.replace("POINT", rf"\{point}").replace("GROUP", group)
    pattern = f"{_AROUND}(?P<number>{number}){_BEHIND}"
    parts = (
        texts.str.replace_all("\u2212", "-", literal=True)
        .str.extract_groups(pattern)
        .struct.unnest()
    )
    digits = parts["number"].str.replace_all(f"[{group}]", "")
    if point == ",":
        digits = digits.str.replace(",", ".", literal=True)
    signs = parts.select(pl.concat_str("open", "before", "inner", "after", ignore_nulls=True))
    trimmed = pl.DataFrame({"d": digits, "signs": signs.to_series()}).select(
        # more than one sign is not a number
        pl.col("signs").replace_strict({"": "", "+": "", "-": "-", "(": "-"}, default=None)
        + pl.when(pl.col("d").str.contains(r"^[0-9]*\.[0-9]*$"))
        .then(pl.col("d").str.strip_chars_end("0").str.strip_chars_end("."))
        .otherwise("d")
    )
    rest = trimmed.to_series()
    done = rest.str.contains(_CANONICAL)
    if done.all():
        return rest
    return _scattered(
        rest, ~done, by_unique(rest.filter(~done), lambda text: plain_digits(Decimal(text)))
    )


def _encoder(field: Field) -> Callable[[str], str | None]:
    def change(text: str) -> str | None:
        try:
            return encode(Decimal(text) if field.type is not FieldType.INT else text, field)
        except (SchemaError, ArithmeticError):
            return None

    return change


def _hundredth(text: str) -> str | None:
    return _unit(format(Decimal(text).scaleb(-2), "f"))


def _unit(text: str) -> str | None:
    number = Decimal(text)
    return encode(number, Field("probability", FieldType.DECIMAL)) if 0 <= number <= 1 else None
