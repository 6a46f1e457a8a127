"""What is sent together: small commands are, and a commit is on its way while the next one is made."""

from __future__ import annotations

from collections.abc import Iterator

from dealdb.connection.protocol.sending import PIECE_BYTES, joined

# of a commit of 278 deals
_COMMIT = b"c" * 50_000


def test_a_commit_is_sent_before_the_next_one_is_made() -> None:
    made = []

    def commits() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield _COMMIT

    pieces = joined(commits())
    assert next(pieces) == _COMMIT
    assert made == [0]
    assert b"".join(pieces) == 2 * _COMMIT


def test_small_commands_are_sent_together() -> None:
    assert [len(piece) for piece in joined([b"x" * 100] * 1_000)] == [16_400] * 6 + [1_600]


def test_no_piece_is_larger_than_the_time_of_one_sending_is_for() -> None:
    pieces = list(joined([b"x" * (2 * PIECE_BYTES + 1)]))
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 1]
