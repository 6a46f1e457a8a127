"""Markdown of a report."""

from __future__ import annotations

import pytest

from dealdb.report.writing.markdown import code


@pytest.mark.parametrize("text", ["find a", "find `a`", "``` `", "a ``b"])
def test_code_ends_where_it_should(text: str) -> None:
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    inside = shown.removeprefix(fence).removesuffix(fence)
    assert inside.strip() == text.strip()
    assert fence not in inside
