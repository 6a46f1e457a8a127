"""Messages of the library in the terms of the command line: where they name an argument, the option for it."""

from __future__ import annotations

import re

_NAMES = (
    "bad_cells|dates|decimal_point|delimiter|dry_run|encoding|everything|fold|force|format|id_from|max_expansion|null|on_conflict|resume"
    "|save_mapping|sheet"
)
_IN_OPTIONS = (
    (r"\bmapping=\{'([^']*)': '([^']*)'\}", r"--map '\1=\2'"),
    (r"^mapping(?=: )", "--map"),
    (r"^types(?=: )", "--type"),
    (r"\bin params$", "with --param NAME=VALUE"),
    (r"\bhistory=False\b", "--without-history"),
    (r"\boverwrite=True\b", "--force"),
    (rf"\b({_NAMES})=True\b", r"--\1"),
    (rf"\b({_NAMES})=(?=['\[ ])", r"--\1 "),
    (rf"(?:^|(?<=with )|(?<=without )|(?<=raise ))({_NAMES})\b(?!'| in column)", r"--\1"),
)


def in_options(message: str) -> str:
    """
    Message with the options that the arguments in it have; what follows its first line is the user's own text.

    Examples
    --------
    >>> in_options("say dates='us' or dates='eu'")
    "say --dates 'us' or --dates 'eu'"
    >>> in_options("id_from: no column 'x'")
    "--id-from: no column 'x'"
    """
    first, newline, rest = message.partition("\n")
    for pattern, option in _IN_OPTIONS:
        first = re.sub(pattern, option, first)
    return re.sub(r"--[a-z]+(?:_[a-z]+)+", _dashed, first) + newline + rest


def _dashed(option: re.Match[str]) -> str:
    return option[0].replace("_", "-")
