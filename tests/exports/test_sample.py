"""The figures of a sample of exports: no more are silently wrong than ``expected.json`` lists."""

from __future__ import annotations

from exports import ratchet
from exports.__main__ import sample
from exports.ratchet import Wrong, grown, lowered
from exports.shapes import BY_NAME


def test_no_more_exports_are_silently_wrong_than_before() -> None:
    assert grown(ratchet.wrong_in(sample()), ratchet.expected()) == {}


def test_the_list_has_shapes_that_there_are() -> None:
    assert set(ratchet.expected()) <= set(BY_NAME)


def test_the_list_can_only_be_lowered() -> None:
    known = {"a": Wrong(silent=2, kinds=["owner"]), "b": Wrong(silent=1, kinds=["amount"])}
    found = {"a": Wrong(silent=1, kinds=["owner"]), "c": Wrong(silent=1, kinds=["created"])}
    assert grown(found, known) == {"c": "1 instead of 0: created"}
    assert lowered(found, known) == {"a": Wrong(silent=1, kinds=["owner"])}
    worse = {"a": Wrong(silent=3, kinds=["owner", "amount"])}
    assert lowered(worse, known) == {"a": known["a"]}
