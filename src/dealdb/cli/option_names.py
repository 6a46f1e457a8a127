"""Messages of the library in the terms of the command line: where they name an argument, the option for it."""

from __future__ import annotations

import re

_NAMES = (
    "as_of|bad_cells|basis|by|by_at|calendar|cohort|dates|days_before|decimal_point|delimiter|dry_run|due|encoding"
    "|every|everything|fold|force|format|id_from|known|max_expansion|measure|method|mode|null|on_conflict|outcome"
    "|period|pipeline|respite|resume|rho|save_mapping|settle|sheet|since|start|unit|until|win_rate"
)
_IN_OPTIONS = (
    (r"\bmapping=\{'([^']*)': '([^']*)'\}", r"--map '\1=\2'"),
    (r"^mapping(?=: )", "--map"),
    (r"^types(?=: )", "--type"),
    (r"\bin params$", "with --param NAME=VALUE"),
    (r"^(?:rot_)?days(?= is )", "--days"),
    (r"\bas_of(?=,)", "--as-of"),
    (r"\bsince(?= has to be earlier)", "--since"),
    (r"^horizon_days\b", "--horizon"),
    (r"^by_period\b", "--period"),
    (r"\bhistory=False\b", "--without-history"),
    (r"\boverwrite=True\b", "--force"),
    (rf"\b({_NAMES})=True\b", r"--\1"),
    (rf"\b({_NAMES})=(?=['\[ \d])", r"--\1 "),
    (rf"(?:^|(?<=with )|(?<=without )|(?<=raise ))({_NAMES})\b(?!'| in column)", r"--\1"),
)


def in_options(message: str) -> str:
    """
    Message with the options that the arguments in it have; what follows its first line is the user's own text.

    Examples
    --------
    >>> in_options("say dates='us' or dates='eu'")
    "say --dates 'us' or --dates 'eu'"
    >>> in_options("as_of=2026-01-01 is before the first fact")
    '--as-of 2026-01-01 is before the first fact'
    >>> in_options("id_from: no column 'x'")
    "--id-from: no column 'x'"
    """
    first, newline, rest = message.partition("\n")
    for pattern, option in _IN_OPTIONS:
        first = re.sub(pattern, option, first)
    return re.sub(r"--[a-z]+(?:_[a-z]+)+", _dashed, first) + newline + rest


def _dashed(option: re.Match[str]) -> str:
    return option[0].replace("_", "-")
