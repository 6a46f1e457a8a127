"""Where deals end that move from stage to stage by chance: the absorbing chain of Markov."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# what each way out of a stage is given beside its moves, so that none counts as impossible
SMOOTHING = 0.5


def absorption(
    moves: Sequence[Sequence[float]], smoothing: float = SMOOTHING
) -> list[tuple[list[float], float]]:
    """
    Chances to end in each absorbing state, from each of the others.

    The chain has no memory: the way to a stage, and how long a deal has stood there, don't count.

    Parameters
    ----------
    moves
        A row for each of the n transient states: how many moves there were from it, to the n transient states and then
        to the absorbing ones.
    smoothing
        Added to each count but those of a state to itself.

    Returns
    -------
    list
        For each transient state the chances of the absorbing states, and the variance of the first of them, with the
        moves of each state as draws from a Dirichlet posterior.

    Source
    ------
    Kemeny and Snell, "Finite Markov chains", chapter 3: B = (I - Q)^-1 R

    Examples
    --------
    >>> [(chances, variance)] = absorption([[0, 1, 2]])
    >>> [round(chance, 6) for chance in chances], round(variance, 6)
    ([0.375, 0.625], 0.046875)
    """
    import numpy as np

    counts: NDArray[np.float64] = np.array(moves, dtype=np.float64)
    n = len(counts)
    counts = counts + smoothing
    counts[np.arange(n), np.arange(n)] -= smoothing
    totals = counts.sum(axis=1, keepdims=True)
    chances = counts / totals
    # often each state is passed on the way to the end
    passed = np.linalg.inv(np.eye(n) - chances[:, :n])
    ends = passed @ chances[:, n:]
    goals = np.concatenate([ends[:, 0], np.eye(counts.shape[1] - n)[0]])
    mean = chances @ goals
    spread = (chances @ goals**2 - mean**2) / (totals[:, 0] + 1)
    variances = passed**2 @ spread
    return [(row.tolist(), float(v)) for row, v in zip(ends, variances, strict=True)]
