"""Properties that are tried with few examples in the default run, and with many where it is ``slow``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

# of a property in the default profile
DEFAULT = 10


def of_profile(share: float) -> int:
    """A part of the examples that the profile asks for, of a test whose examples take long."""
    return max(1, round(settings().max_examples * share))


def few_by_default(n: int) -> int:
    """So many examples, of a test with another number than most; in the long profile as many as of all others."""
    asked = settings().max_examples
    return asked if asked > DEFAULT else n


def given_examples(
    few: int,
    many: int,
    *,
    unless: Sequence[HealthCheck] = (),
    **strategies: SearchStrategy[object],
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """As ``given``, for a test without fixtures; ``unless`` are the checks of health that it is excused."""

    def decorate(check: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("n_examples", [few, pytest.param(many, marks=pytest.mark.slow)])
        def test(n_examples: int) -> None:
            setting = settings(max_examples=n_examples, deadline=None, suppress_health_check=unless)
            setting(given(**strategies)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate
