"""Pauses between tries grow, with jitter, until a deadline."""

from __future__ import annotations

import time

import pytest

from dealdb.connection.retry import FIRST_WAIT_S, LONGEST_WAIT_S, Pauses


def test_pauses_double_up_to_the_longest_with_jitter() -> None:
    pauses = Pauses()
    longest = FIRST_WAIT_S
    for _ in range(20):
        assert longest / 2 <= pauses.next_s() <= longest
        longest = min(2 * longest, LONGEST_WAIT_S)
    assert longest == LONGEST_WAIT_S


def test_two_clients_do_not_come_back_in_step() -> None:
    one, other = Pauses(), Pauses()
    assert [one.next_s() for _ in range(5)] != [other.next_s() for _ in range(5)]


def test_wait_sleeps_for_the_next_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    pauses = Pauses(1.0)
    for _ in range(3):
        pauses.wait()
    assert FIRST_WAIT_S / 2 <= slept[0] <= FIRST_WAIT_S
    assert 2 * FIRST_WAIT_S <= slept[2] <= 4 * FIRST_WAIT_S


def test_they_are_over_when_the_next_try_could_only_begin_too_late() -> None:
    assert Pauses(0.0).over
    assert Pauses(60.0, time.monotonic() - 61.0).over
    assert not Pauses(60.0).over
    endless = Pauses(began=time.monotonic() - 1e9)
    endless.next_s()
    assert not endless.over
