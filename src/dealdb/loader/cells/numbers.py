"""
Columns of numbers as people and programs write them, turned into the one text that the store keeps.

Digits are moved as text from end to end: no amount passes through a float.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

import polars as pl

from dealdb.errors import SchemaError
from dealdb.loader.cells.currencies import (
    CURRENCY_BEFORE,
    CURRENCY_BEHIND,
    currency_of_amount,
)
from dealdb.model.decimals import FLOAT_DIGITS, number_of, plain_digits
from dealdb.model.schema import MAX_SCALE, MAX_WHOLE_DIGITS, Field, FieldType
from dealdb.model.values import encode

# what values.encode writes, up to 18 digits a side: such cells are taken as they are
_CANONICAL = (
    r"^(?:0|-?[1-9][0-9]{0,17}|-?[1-9][0-9]{0,17}\.[0-9]{0,17}[1-9]|-?0\.[0-9]{0,17}[1-9])$"
)
_FLOAT = r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$"
CANONICAL_INT = r"^(?:0|-?[1-9][0-9]{0,17})$"

# what the same characters are in other widths, and dashes that stand for a minus
_PLAIN_CHARACTERS = {
    **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u02bc\u00b4`\uff07", "'"),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u061c", ""),
    "\uff0c": ",", "\uff0e": ".", "\uff04": "$", "\uffe5": "¥", "\uff08": "(", "\uff09": ")", "\uff05": "%",
    "\uff0b": "+",
}  # fmt: skip
_GROUPED = r"[0-9]{1,3}(?:[GROUP][0-9]{2,3})*[GROUP][0-9]{3}"
# 1.750,- has no cents
_NUMBER = (
    rf"(?:(?P<whole>{_GROUPED}|[0-9]+)(?:[.,]-{{1,2}}|(?P<fraction>POINT[0-9]*))?|(?P<part>POINT[0-9]+))"
    r"(?P<power>[eE][+-]?[0-9]{1,3})?"
)
_TIMES = {
    **dict.fromkeys(("k", "tsd", "thousand", "mil"), 3),
    **dict.fromkeys(("m", "mm", "mn", "mio", "mln", "million", "millions", "millionen"), 6),
    **dict.fromkeys(("b", "bn", "mrd", "mld", "billion"), 9),
    "lakh": 5, "lakhs": 5, "crore": 7, "crores": 7,
}  # fmt: skip
SCALE = rf"(?i:{'|'.join(sorted(_TIMES, key=len, reverse=True))})"
_PATTERN = (
    rf"^(?P<open>\()?(?P<before>[+-])? ?(?P<sign>{CURRENCY_BEFORE})? ?(?P<open2>\()?(?P<inner>[+-])? ?{_NUMBER}"
    rf" ?(?:(?P<scale>{SCALE})\.?)? ?(?P<close>\))? ?(?P<sign2>{CURRENCY_BEHIND})? ?(?P<after>-)?(?P<close2>\))?$"
)
# digits behind the point
_SCALE = (pl.all().str.len_bytes() - pl.all().str.find(".", literal=True) - 1).max()
_SIGNS = {"": "", "+": "", "-": "-", "()": "-"}
# the zero of a spreadsheet's format for accounts
_DASH = rf"^{CURRENCY_BEFORE} ?--?$|^--? ?{CURRENCY_BEHIND}$"


def simple(point: str) -> str:
    """Pattern of most amounts: digits in threes, with a sign before or behind them, and few enough to fit."""
    group = "," if point == "." else "."
    digits = rf"[0-9]{{1,3}}(?:\{group}[0-9]{{3}}){{0,5}}(?:\{point}[0-9]{{1,18}})?"
    return rf"^-?(?:[$€£₹] ?)?{digits}(?: ?[$€£₹])?$"


def plain_characters(texts: pl.Series) -> pl.Series:
    """
    Cells with ASCII for digits, dashes, apostrophes and blanks of other kinds, one blank for several, and none around.

    Examples
    --------
    >>> plain_characters(pl.Series([" 1\u202f234,50\u00a0€ ", "\u22125"])).to_list()
    ['1 234,50 €', '-5']
    """
    if texts.str.contains(r"[^\x00-\x7f]").any():
        texts = texts.str.replace_many(_PLAIN_CHARACTERS)
    if texts.str.contains(r"\s").any():
        texts = texts.str.replace_all(r"\s+", " ").str.strip_chars(" ")
    return texts


def currencies_of(texts: pl.Series) -> pl.Series:
    """
    Currency that each amount of a column names; null where it names none.

    Examples
    --------
    >>> currencies_of(pl.Series(["$1,750", "2.300 €", "CHF 1'750.50", "12"])).to_list()
    ['$', 'EUR', 'CHF', None]
    """
    if texts.str.contains(r"^[-+0-9.,\s]*$").fill_null(value=True).all():
        return texts.clear(texts.len())
    # what is left of most columns without their digits is one sign
    words = plain_characters(texts).str.replace_all(r"[-+0-9.,'() ]+", "")
    return by_unique(words, _currency_in).alias(texts.name)


def _currency_in(words: str) -> str | None:
    found = re.fullmatch(rf"({CURRENCY_BEFORE})?(?:{SCALE})?({CURRENCY_BEHIND})?", words)
    return currency_of_amount(found[1], found[2]) if found else None


def decimals(texts: pl.Series, point: str = ".", *, percent: bool = False) -> pl.Series:
    """
    Numbers of a column in plain digits; null where a cell is not a number.

    Parameters
    ----------
    texts
        Cells.
    point
        Character before the fraction; the other of ``.`` and ``,`` then separates groups of digits.
    percent
        Whether a cell that ends in ``%`` is a number: a share of hundred.

    Examples
    --------
    >>> decimals(pl.Series(["$1,234.50", "17,50,000", "(12)", "1e3", "1.5M", "ten"])).to_list()
    ['1234.5', '1750000', '-12', '1000', '1500000', None]
    >>> decimals(pl.Series(["€ 1.234,50", "1.234", "1.750,-"]), ",").to_list()
    ['1234.5', '1234', '1750']
    >>> decimals(pl.Series(["60%", "5"]), percent=True).to_list()
    ['0.6', '5']
    """
    # 1.234 is canonical, and yet 1234 where the comma is the decimal point
    canonical = _CANONICAL if point == "." else CANONICAL_INT
    change = _shares if percent else _plain
    return _where_not(canonical, texts, lambda odd: change(odd, point))


def _shares(texts: pl.Series, point: str) -> pl.Series:
    percent = texts.str.contains(r"[%\u{ff05}]")
    if not percent.any():
        return _plain(texts, point)
    numbers = _plain(texts.str.replace(r"\s*[%\u{ff05}]\s*$", ""), point)
    return _scattered(numbers, percent, by_unique(numbers.filter(percent), _one_of_hundred))


def short(numbers: pl.Series) -> pl.Series:
    """Numbers that a column has room for whatever else is in it; null for the others."""
    longest = int(numbers.str.len_bytes().max() or 0)  # type: ignore[arg-type]  # lengths are integers
    if longest <= MAX_SCALE:
        return numbers
    number = pl.col("number")
    fits = number.str.contains(rf"^-?[0-9]{{1,{MAX_WHOLE_DIGITS}}}(?:\.[0-9]{{1,{MAX_SCALE}}})?$")
    return numbers.to_frame("number").select(pl.when(fits).then(number)).to_series()


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
        CANONICAL_INT, texts, lambda odd: by_unique(_plain(odd, point), _encoder(whole))
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
    numbers = decimals(texts.str.replace(r"\s*%\s*$", ""), point)
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
    plain = plain_characters(texts).str.replace(",", ".", literal=True)
    numbers = plain.cast(pl.Float64, strict=False)
    return float(numbers.max() or 0)  # type: ignore[arg-type]  # a Float64 column has float values


def scale_of_texts(texts: pl.Series) -> int:
    """
    Digits after the point that the longest fraction of a column of plain numbers has.

    Examples
    --------
    >>> scale_of_texts(pl.Series(["10", "0.125", None]))
    3
    """
    return scales_of_texts([texts])[0]


def scales_of_texts(columns: Sequence[pl.Series]) -> list[int]:
    """The same of some columns, in one query: each takes longer than the work on some hundred texts."""
    if not columns:
        return []
    frame = pl.DataFrame([texts.alias(str(n)) for n, texts in enumerate(columns)])
    return [int(places or 0) for places in frame.select(_SCALE).row(0)]


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
    is_simple = texts.str.contains(simple(point))
    if not is_simple.any():
        return _any_spelled_out(texts, point)
    digits = texts.filter(is_simple).str.replace_all(f"[^-0-9{point}]", "")
    # an even shorter way for what is canonical then
    found = _where_not(
        _CANONICAL,
        _trimmed(digits.str.replace(",", ".", literal=True)),
        lambda odd: by_unique(odd, lambda text: plain_digits(Decimal(text))),
    )
    rest = _any_spelled_out(texts.filter(~is_simple), point)
    return _scattered(_scattered(texts, is_simple, found), ~is_simple, rest)


def _any_spelled_out(texts: pl.Series, point: str) -> pl.Series:
    if texts.is_empty():
        return texts
    group = ("." if point == "," else ",") + "' "
    pattern = _PATTERN.replace("POINT", rf"\{point}").replace("GROUP", group)
    plain = plain_characters(texts)
    parts = plain.str.extract_groups(pattern).struct.unnest().with_columns(cell=plain)
    signs = parts.select(
        pl.concat_str(
            "open", "before", "open2", "inner", "close", "after", "close2", ignore_nulls=True
        )
    )
    numbers = parts.select(
        pl.concat_str(
            pl.col("whole").str.replace_all(f"[{group}]", ""),
            pl.col("fraction", "part").str.replace(",", ".", literal=True),
            "power",
            ignore_nulls=True,
        ).alias("number"),
        # more than one sign is not a number
        signs.to_series().replace_strict(_SIGNS, default=None).alias("minus"),
        "scale",
        "cell",
    ).select(
        pl.when(pl.col("number") != "")
        .then(pl.col("minus") + _without_zeros(pl.col("number")))
        .when(pl.col("cell").str.contains(_DASH))
        .then(pl.lit("0"))
        .alias("number"),
        "scale",
    )
    rest = _scaled(numbers["number"], numbers["scale"])
    done = rest.str.contains(_CANONICAL)
    if done.all():
        return rest
    return _scattered(
        rest, ~done, by_unique(rest.filter(~done), lambda text: plain_digits(Decimal(text)))
    )


def _without_zeros(number: pl.Expr) -> pl.Expr:
    return (
        # as SQL Server's tools write a zero; nothing would be left of it
        pl.when(number.str.contains(r"^\.0+$"))
        .then(pl.lit("0"))
        .when(number.str.contains(r"^[0-9]*\.[0-9]*$"))
        .then(number.str.strip_chars_end("0").str.strip_chars_end("."))
        .otherwise(number)
    )


def _scaled(numbers: pl.Series, scales: pl.Series) -> pl.Series:
    """Numbers in the thousands or millions that a word behind them says."""
    scaled = scales.is_not_null() & numbers.is_not_null()
    if not scaled.any():
        return numbers
    pairs = numbers.filter(scaled) + " " + scales.filter(scaled).str.to_lowercase()
    return _scattered(numbers, scaled, by_unique(pairs, _times))


def _times(pair: str) -> str | None:
    number, word = pair.split(" ")
    return plain_digits(Decimal(number).scaleb(_TIMES[word]))


def _encoder(field: Field) -> Callable[[str], str | None]:
    def change(text: str) -> str | None:
        try:
            return encode(Decimal(text) if field.type is not FieldType.INT else text, field)
        except (SchemaError, ArithmeticError):
            return None

    return change


def _hundredth(text: str) -> str | None:
    return _unit(format(Decimal(text).scaleb(-2), "f"))


def _one_of_hundred(text: str) -> str | None:
    return plain_digits(Decimal(text).scaleb(-2))


def _unit(text: str) -> str | None:
    number = Decimal(text)
    return encode(number, Field("probability", FieldType.DECIMAL)) if 0 <= number <= 1 else None
