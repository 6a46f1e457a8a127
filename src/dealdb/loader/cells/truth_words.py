"""Words that stand for true and false, in columns of bools and in flags next to the stages alike."""

from __future__ import annotations

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
