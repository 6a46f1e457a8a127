"""Words that stand for true and false, in columns of bools and in flags next to the stages alike."""

from __future__ import annotations

# "1.0" comes from integers next to nulls, which are floats in pandas
TRUE_WORDS = ("true", "t", "yes", "y", "1", "1.0")
FALSE_WORDS = ("false", "f", "no", "n", "0", "0.0")
