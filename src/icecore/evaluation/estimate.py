"""A number with its interval, and the two interval recipes that the metrics share."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054
_TINY = math.ulp(1.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval.

    Example:
        >>> str(Estimate(0.836, 0.82, 0.85))
        '0.836 [0.820, 0.850]'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{in_digits(self.value)} [{in_digits(self.low)}, {in_digits(self.high)}]"


def in_digits(value: float) -> str:
    """A figure for people: three places, and four digits of what is too large or too small for that.

    Example:
        >>> in_digits(0.8361), in_digits(12345.6)
        ('0.836', '1.235e+04')
    """
    return f"{value:.3f}" if abs(value) < 1e-12 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def wilson(share: float, n: float, z: float = Z95) -> Estimate:
    """Interval of a share that was seen in n independent items (Wilson 1927; n may be an effective, fractional number).

    It never has zero width, and never leaves 0..1. Where fewer than four items are wrong (or right), the bound on that
    side is Poisson's, as Brown, Cai and DasGupta (2001) correct it: Wilson's covers in as few as 83 % of samples there.

    Example:
        >>> str(wilson(1.0, 30))
        '1.000 [0.886, 1.000]'
    """
    share = min(max(share, 0.0), 1.0)  # sums of weights may round beyond
    spread = z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    low = min(centre - half, _few(n * share) / n)
    high = max(centre + half, 1 - _few(n * (1 - share)) / n)
    return Estimate(share, max(0.0, min(share, low)), min(1.0, max(share, high)))


def _few(count: float) -> float:
    """Lower bound of the expected count of a rare event that was seen `count` times; infinite from four on.

    -log(0.95) for one event, and the like; linear between whole counts, which weights can bring.
    """
    at_most = {0: 0.0, 1: 0.0513, 2: 0.3554, 3: 0.8177, 4: 1.5549}
    below = math.floor(count)
    if below > 3:
        return math.inf
    return at_most[below] + (count - below) * (at_most[below + 1] - at_most[below])


def wilson_from_variance(share: float, smooth: float, variance: float, z: float = Z95) -> Estimate:
    """Interval of an average of shares whose variance is known: Wilson's, at the number of items of that variance.

    Korn and Graubard (1998) do so for surveys.

    Args:
        share: the value to report, 0..1.
        smooth: the same value, kept off 0 and 1, that goes with the variance.
        variance: of the value over repeated samples, above 0.
        z: half-width in standard errors.
    """
    return wilson(share, smooth * (1 - smooth) / variance, z)


def of_positive(value: float, step: float) -> Estimate:
    """Interval of a mean of skewed values above zero, symmetric in the cube root: that takes most of the skewness away.

    Args:
        value: the mean.
        step: half of the width that the interval would have without that. Where it is many times the mean, the cube
            root knows nothing, and the upper end is three steps away (of nothing seen, three in n: the rule of three).

    Example:
        >>> of_positive(0.0, 0.01).high
        0.03
    """
    root = max(value, _TINY) ** (1 / 3)
    half = step / 3 / root**2
    high = min((root + half) ** 3, value + 3 * step)
    return Estimate(value, min(value, max(root - half, 0.0) ** 3), max(value, high))


def t95(degrees: float) -> float:
    """Two-sided 95 % quantile of Student's t, by its expansion around the normal (Abramowitz and Stegun 26.7.5).

    Right to 1 % from three degrees of freedom on; fewer than two count as two.

    Example:
        >>> round(t95(10), 2)
        2.23
    """
    z, d = Z95, max(degrees, 2.0)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / d + second / d**2 + third / d**3
