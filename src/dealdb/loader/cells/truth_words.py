"""Words that stand for true and false, in columns of bools and in flags next to the stages alike."""

from __future__ import annotations

import polars as pl

# "1.0" comes from integers next to nulls, which are floats in pandas; then what spreadsheets and people
# write in German, Spanish, French, Italian, Dutch and Portuguese
TRUE_WORDS = (
    "true", "t", "yes", "y", "1", "1.0",
    "wahr", "ja", "j", "verdadero", "sí", "si", "s", "vrai", "oui", "vero", "sì", "waar", "verdadeiro", "sim",
)  # fmt: skip
FALSE_WORDS = (
    "false", "f", "no", "n", "0", "0.0",
    "falsch", "nein", "falso", "faux", "non", "onwaar", "nee", "não", "nao",
)  # fmt: skip


def is_true(cells: pl.Expr) -> pl.Expr:
    """
    Whether cells say that something is so; what is neither true nor false says nothing.

    Examples
    --------
    >>> pl.DataFrame({"won": ["Yes", "0", None]}).select(is_true(pl.col("won")))["won"].to_list()
    [True, False, False]
    """
    low = cells.str.strip_chars().str.to_lowercase()
    return low.is_in(TRUE_WORDS).fill_null(value=False)
