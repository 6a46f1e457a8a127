"""The command ``completion``: scripts for Tab in a shell."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.completion import VARIABLE
from dealdb.cli.output.streams import say
from dealdb.cli.registry import SHELLS, completion_script
from dealdb.cli.session import Session
from dealdb.errors import ConfigError


def completion(
    session: Session,  # noqa: ARG001 every command gets it
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"One of {', '.join(SHELLS)}.")],
) -> None:
    """
    Print the script for completion by Tab.

    For bash: eval "$(dealdb completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc, after compinit; for fish:
    dealdb completion fish > ~/.config/fish/completions/dealdb.fish
    """
    if shell not in SHELLS:
        msg = f"there is no completion for {shell!r}; the shells are {', '.join(SHELLS)}"
        raise ConfigError(msg)
    say(completion_script(shell, VARIABLE))
