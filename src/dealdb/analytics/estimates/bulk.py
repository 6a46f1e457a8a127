"""
The sum of many small deals, as a distribution instead of deal by deal.

Of ten thousand deals of which none stands out, the sum is a normal distribution but for a little skew: drawing each of
them in each run finds the same with a thousand times the work. Deals that do stand out are drawn one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dealdb.analytics.estimates.draws import Draws

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats, Whole

# so few are always drawn one by one
MOST_SINGLE = 500
# how many times the largest amount the spread of the sum is at least: its skew is then below 0.1, and what the form
# leaves out (below 0.1 % of the spread) is a small part of the error of 100,000 runs
_TIMES = 10.0


def standing_out(amounts: Whole, chances: Floats) -> NDArray[np.bool_]:
    """
    Which deals are to be drawn one by one: all but those that are small beside the spread of their sum.

    Parameters
    ----------
    amounts
        Of the deals.
    chances
        Of each; a deal with a chance of 0 or 1 is certain, and never drawn where others aren't.

    Examples
    --------
    >>> import numpy as np
    >>> large = standing_out(np.array([5_000, *[10] * 1_000]), np.full(1_001, 0.5))
    >>> large.nonzero()[0].tolist()
    [0]
    """
    import numpy as np

    if len(amounts) <= MOST_SINGLE:
        return np.ones(len(amounts), dtype=bool)
    sizes = np.abs(amounts.astype(np.float64))
    spreads = sizes**2 * chances * (1 - chances)
    order = np.argsort(-sizes, kind="stable")
    # of this one and all that are smaller
    left = np.sqrt(np.cumsum(spreads[order][::-1])[::-1])
    is_small = sizes[order] * _TIMES <= left
    found: NDArray[np.bool_] = np.zeros(len(amounts), dtype=bool)
    found[order[: int(np.argmax(is_small)) if is_small.any() else len(order)]] = True
    return found & (spreads > 0)


@dataclass(frozen=True, slots=True)
class Bulk:
    """
    Small deals, of which each class has one chance.

    Attributes
    ----------
    powers
        Sums of the amounts, of their squares and of their cubes, by class.
    step
        What all amounts are a multiple of: so is their sum.
    least, most
        Bounds of the sum: it is never more than if all are won.

    Examples
    --------
    >>> import numpy as np
    >>> bulk = Bulk.of(np.array([100] * 2_000), np.zeros(2_000, dtype=np.int64), 1)
    >>> bulk.shape(np.array([[0.5]])).round(3)[:, 0].tolist()
    [100000.0, 2236.068, 0.0]
    """

    powers: Floats
    step: int
    least: float
    most: float

    @classmethod
    def of(cls, amounts: Whole, classes: Whole, n_classes: int) -> Bulk:
        """
        Deals as a bulk.

        Parameters
        ----------
        amounts
            Of the deals.
        classes
            The class of each, from 0 on.
        n_classes
            How many there are.
        """
        import numpy as np

        sizes = amounts.astype(np.float64)
        powers = [np.bincount(classes, sizes**power, minlength=n_classes) for power in (1, 2, 3)]
        return cls(
            powers=np.array(powers),
            step=int(np.gcd.reduce(amounts)) or 1 if len(amounts) else 1,
            least=float(sizes[sizes < 0].sum()),
            most=float(sizes[sizes > 0].sum()),
        )

    @property
    def is_empty(self) -> bool:
        """Whether it adds nothing."""
        return self.least == self.most == 0

    def shape(self, chances: Floats) -> Floats:
        """Mean, standard deviation and skew of the sum, for each row of chances by class."""
        import numpy as np

        spread = chances * (1 - chances)
        first, second, third = self.powers
        deviation = np.sqrt(spread @ second)
        cubes = (spread * (1 - 2 * chances)) @ third
        skew = np.divide(cubes, deviation**3, out=np.zeros_like(cubes), where=deviation > 0)
        return np.array([chances @ first, deviation, skew])

    def drawn(self, shape: Floats, draws: Draws) -> Whole:
        """
        A sum for each column of ``shape``.

        Source
        ------
        Cornish and Fisher, "Moments and cumulants in the specification of distributions" (1937), to the skew
        """
        import numpy as np

        mean, deviation, skew = shape
        point = draws.normals(shape.shape[1])
        sums = mean + deviation * (point + skew / 6 * (point**2 - 1))
        # the bounds are multiples of the step as well
        steps = np.rint(np.clip(sums, self.least, self.most) / self.step)
        found: Whole = steps.astype(np.int64) * self.step
        return found
