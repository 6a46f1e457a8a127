from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from traceback import format_exception_only

import pytest

import dealdb
from dealdb import errors
from dealdb.errors import ConflictError, DealDBError, OutcomeUnknown, StoreError

# of whatever an error's constructor may ask for
EXAMPLES = {"str": "some text", "int": 3, "float": 1.5, "Callable[[], bool]": lambda: True}


def all_classes(base: type[DealDBError] = DealDBError) -> Iterator[type[DealDBError]]:
    yield base
    for kind in base.__subclasses__():
        yield from all_classes(kind)


def example_of(kind: type[DealDBError]) -> DealDBError:
    """An error of the class, with a value for each parameter."""
    if not any("__init__" in vars(each) for each in kind.__mro__ if issubclass(each, DealDBError)):
        return kind("what was asked; what was found")
    parameters = inspect.signature(kind).parameters.values()
    values = {
        each.name: EXAMPLES[each.annotation.removesuffix(" | None")]
        for each in parameters
        if each.annotation != "bool"
    }
    given = [
        values.pop(each.name)
        for each in parameters
        if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    return kind(*given, **values)


def test_every_error_survives_pickle_and_copy() -> None:
    for module in walk_packages(dealdb.__path__, "dealdb."):
        if "__main__" not in module.name:
            import_module(module.name)
    kinds = list(all_classes())
    assert len(kinds) > 15
    for kind in kinds:
        error = example_of(kind)
        error.note = "added later"  # type: ignore[attr-defined]
        if isinstance(error, StoreError):
            error.sent = True
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            check_same(pickle.loads(pickle.dumps(error, protocol)), error)
        check_same(copy.copy(error), error)
        check_same(copy.deepcopy(error), error)


def check_same(other: DealDBError, error: DealDBError) -> None:
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.args == error.args
    hidden = {"_resolve"}
    assert {n: v for n, v in vars(other).items() if n not in hidden} == {
        n: v for n, v in vars(error).items() if n not in hidden
    }
    assert repr(other) == repr(error)
    if isinstance(error, ImportError):
        assert isinstance(other, ImportError)
        assert other.msg == error.msg


def test_a_traceback_names_an_error_as_callers_import_it() -> None:
    error = ConflictError("1", expected_rev=99, actual_rev=3)
    assert "".join(format_exception_only(error)).startswith("dealdb.ConflictError: deal '1'")
    kinds = [kind for kind in all_classes() if getattr(errors, kind.__name__, None) is kind]
    assert len(kinds) > 15
    assert {kind.__module__ for kind in kinds} == {"dealdb"}


def test_a_conflict_tells_its_revisions_in_another_process() -> None:
    error = pickle.loads(pickle.dumps(ConflictError("1", expected_rev=99, actual_rev=3)))
    assert (error.deal, error.expected_rev, error.actual_rev) == ("1", 99, 3)


def test_an_open_outcome_is_resolved_where_it_came_from() -> None:
    error = OutcomeUnknown("no answer came", lambda: True)
    assert error.resolve()
    assert copy.copy(error).resolve()
    with pytest.raises(StoreError, match="comes from another process"):
        pickle.loads(pickle.dumps(error)).resolve()
