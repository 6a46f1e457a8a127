"""
Random numbers that are the same on every machine for one seed.

NumPy serves: its generator PCG64 is documented and gives the same bits everywhere, and a million draws take
milliseconds. Its newer distributions may change with a release, so what is drawn here comes from the bits themselves,
or from ``RandomState``, whose distributions are frozen by NumPy's policy (NEP 19). It is imported late: it costs some
80 ms, and only predictions need it. SciPy would bring nothing that is needed here.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Whole: TypeAlias = NDArray[np.int64]
    Limits: TypeAlias = NDArray[np.uint32]

# bits of a number between 0 and 1
_BITS = 53
# bits of a chance: a draw is below it, or not; a billionth more or less is nothing
_HIT_BITS = 31
# the table of the normal distribution: beyond these, a share is 0 or 1 to fifteen digits
_FAR = 8.0
_POINTS = 2**16 + 1


class Draws:
    """
    Source of random numbers with a seed.

    Examples
    --------
    >>> [int(number) for number in Draws(7).below(10, 3)] == [int(n) for n in Draws(7).below(10, 3)]
    True
    """

    def __init__(self, seed: int) -> None:
        import numpy as np

        self._bits = np.random.PCG64(seed)
        self._frozen = np.random.RandomState(self._bits)

    def skipped(self, n: int) -> Draws:
        """
        The same behind the next ``n`` numbers between 0 and 1.

        Examples
        --------
        >>> bool((Draws(7).skipped(3).uniform(2) == Draws(7).uniform(5)[3:]).all())
        True
        """
        self._bits.advance(n)
        return self

    def hits(self, limits: Limits) -> NDArray[np.bool_]:
        """True as often as the limits say: one for each of them."""
        import numpy as np

        # two of them in the 64 bits of each number, the lower half first
        raw = self._bits.random_raw((limits.size + 1) // 2).astype("<u8", copy=False)
        halves = raw.view("<u4")[: limits.size].reshape(limits.shape)
        halves >>= np.uint32(32 - _HIT_BITS)
        found: NDArray[np.bool_] = halves < limits
        return found

    def uniform(self, n: int) -> Floats:
        """Numbers between 0 and 1, never one of these."""
        import numpy as np

        raw = self._bits.random_raw(n) >> np.uint64(64 - _BITS)
        return (raw.astype(np.float64) + 0.5) * 2.0**-_BITS

    def below(self, limit: int, n: int) -> Whole:
        """Whole numbers from 0 to ``limit`` - 1."""
        import numpy as np

        return np.asarray(self.uniform(n) * limit, dtype=np.int64)

    def gammas(self, shapes: Floats, n: int) -> Floats:
        """``n`` draws from gamma distributions of scale 1, one for each shape; 0 where the shape is."""
        return self._frozen.standard_gamma(shapes, size=(n, *shapes.shape))

    def exponentials(self, n: int) -> Floats:
        """Draws from the exponential distribution of mean 1."""
        import numpy as np

        return -np.log(self.uniform(n))

    def points(self, length: float) -> Floats:
        """Points that lie at random on a line, one for each unit of its length on average; in order."""
        import numpy as np

        found, end = [np.zeros(0)], 0.0
        while end < length:
            left = length - end
            found.append(end + np.cumsum(self.exponentials(int(left + 5 * left**0.5) + 10)))
            end = float(found[-1][-1])
        every = np.concatenate(found)
        return every[every < length]

    def normals(self, n: int) -> Floats:
        """Draws from the normal distribution."""
        return normal_point(self.uniform(n))


def limits_of(chances: Floats) -> Limits:
    """
    Chances as ``Draws.hits`` takes them: whole numbers that a draw has to be below.

    Examples
    --------
    >>> import numpy as np
    >>> Draws(1).hits(limits_of(np.array([0.0, 1.0]))).tolist()
    [False, True]
    """
    import numpy as np

    return np.ceil(chances * 2.0**_HIT_BITS).astype(np.uint32)


def normal_share(points: Floats) -> Floats:
    """
    Share of the normal distribution below each point, to eight digits.

    Examples
    --------
    >>> import numpy as np
    >>> normal_share(np.array([-9.0, 0.0, 1.0])).round(6).tolist()
    [0.0, 0.5, 0.841345]
    """
    import numpy as np

    _, shares, slopes = _table()
    # places in the table are told by arithmetic: a search for each takes ten times as long
    place = (points + _FAR) * ((_POINTS - 1) / (2 * _FAR))
    np.clip(place, 0.0, _POINTS - 1.5, out=place)
    left = place.astype(np.int32)
    place -= left
    place *= slopes.take(left)
    place += shares.take(left)
    return place


def normal_point(shares: Floats) -> Floats:
    """
    Point below which a share of the normal distribution lies, at most 8 from its middle.

    Examples
    --------
    >>> import numpy as np
    >>> normal_point(np.array([0.5, 0.975])).round(6).tolist()
    [0.0, 1.959964]
    """
    import numpy as np

    grid, below, _ = _table()
    return np.interp(shares, below, grid)


@cache
def _table() -> tuple[Floats, Floats, Floats]:
    import numpy as np

    normal = NormalDist()
    grid = np.linspace(-_FAR, _FAR, _POINTS)
    # the lower half, which has the digits; the upper one is its mirror image
    half = np.array([normal.cdf(point) for point in grid[: _POINTS // 2].tolist()])
    shares = np.concatenate([half, [0.5], 1 - half[::-1]])
    return grid, shares, np.diff(shares)
