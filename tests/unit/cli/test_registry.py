"""What the registry of commands uses of typer's insides is there: a new typer that lacks it fails here."""

from __future__ import annotations

import inspect

from typer.core import TyperOption

from dealdb.cli.registry import Commands, Reader, completion_script


def test_typer_has_the_private_parts_that_the_registry_uses() -> None:
    command = Commands()["find"]
    options = {param.name: param for param in command.get_params(command.make_context("x", []))}
    # a reader of ours is what reads the values, in place of the one that imports pydantic
    limit = options["limit"]
    assert isinstance(limit, TyperOption)
    assert vars(limit)["_runtime_param"] is limit.get_runtime_param()
    assert isinstance(limit.get_runtime_param(), Reader)
    assert limit.type_descriptor.annotation
    # the signature that was written over the function's own is the one that is read
    assert {"ctx", "session"} & options.keys() == set()
    assert {"where", "sort", "url", "db", "json", "raw", "no_pager", "debug"} <= options.keys()


def test_typer_writes_the_scripts_of_shells() -> None:
    from typer._completion_shared import get_completion_script

    assert [*inspect.signature(get_completion_script).parameters] == [
        "prog_name",
        "complete_var",
        "shell",
    ]
    for shell in ("bash", "zsh", "fish"):
        script = completion_script(shell, "_DEALDB_COMPLETE")
        assert "dealdb" in script
        assert "_DEALDB_COMPLETE" in script
