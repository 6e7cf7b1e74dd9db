"""Parzen-window log-likelihood: that of test examples under a mixture of Gaussians, one around each sample.

Goodfellow et al. 2014, "Generative Adversarial Nets", section 5 (after Breuleux et al. 2011): the width σ of the
Gaussians is the one under which validation examples are most likely. Theis et al. 2016, "A note on the evaluation of
generative models", section 3.2: in many dimensions it is far below the true log-likelihood for any number of samples
that can be drawn, and ranks models wrongly; centres of k-means can beat samples of the data's own distribution.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.optimize
import scipy.special

from export.metrics import distances, intervals

#: Logarithms of the widths that are tried, about the typical one, and the precision to which the best is refined.
_GRID, _PRECISION = np.linspace(-3.0, 3.0, 25), 1e-4


@dataclasses.dataclass(frozen=True)
class ParzenLogLikelihood:
    """A Parzen-window log-likelihood.

    Attributes:
      bandwidth: σ, in the examples' unit.
      per_example: float64 [t], log-density of each test example, in nats.
      per_sample: float64 [m], how many of the m samples each stands for: m times its mean responsibility for the test
        examples; 1 on average.
    """

    bandwidth: float
    per_example: np.ndarray
    per_sample: np.ndarray

    @property
    def mean(self) -> float:
        """The mean over the test examples, in nats."""
        return float(self.per_example.mean())

    def interval(self, level=0.95) -> intervals.Interval:
        """Student's t interval of `mean` over new test examples and new samples, at this bandwidth.

        The variance is that of the mean over the test examples, and that over the samples to first order, in which a
        sample contributes `per_sample`.

        Args:
          level: in (0, 1).
        """
        if not self.bandwidth > 0.0:
            return intervals.absent(math.inf, "every validation example is one of the samples: no bandwidth is best")
        if len(self.per_example) < 2:
            return intervals.absent(self.mean, "there is one example only")
        variance = self.per_example.var(ddof=1) / len(self.per_example)
        variance += self.per_sample.var(ddof=1) / len(self.per_sample) if len(self.per_sample) > 1 else 0.0
        return intervals.normal_interval(self.mean, float(variance), level, len(self.per_example) - 1)


def parzen_log_likelihood(samples, validation, test, chunk=distances.CHUNK) -> ParzenLogLikelihood:
    """Log-likelihood of test examples under a Parzen window of samples, its bandwidth chosen by validation examples.

    Args:
      samples: [m, d].
      validation: [v, d].
      test: [t, d].
      chunk: rows of the distance matrix of test examples in memory at a time; that of the validation examples, [v, m],
        is whole.

    Returns:
      `ParzenLogLikelihood`; of bandwidth 0 and infinite where every validation example is one of the samples.

    Raises:
      ValueError: on other shapes, or values that are not finite.
    """
    seen, centres = distances.centred(validation, samples)
    squared = np.concatenate([rows for _, rows in distances.squared_distances(seen, centres, chunk)])
    dim = centres.shape[1]
    typical = squared.min(axis=1).mean() / dim
    if not typical > 0.0:
        return ParzenLogLikelihood(0.0, np.full(len(test), math.inf), np.full(len(samples), math.nan))
    best = _best_bandwidth(squared, 0.5 * math.log(typical), dim)
    seen, centres = distances.centred(test, samples)
    per_example, responsibilities = [], np.zeros(len(centres))
    for _, rows in distances.squared_distances(seen, centres, chunk):
        each, shares = _log_densities(rows, best, dim)
        per_example.append(each)
        responsibilities += shares.sum(axis=0)
    return ParzenLogLikelihood(best, np.concatenate(per_example), responsibilities * (len(centres) / len(seen)))


def _best_bandwidth(squared, middle, dim):
    """The σ under which validation examples, at these squared distances to the samples, are most likely."""

    def loss(log_bandwidth):
        return -_log_densities(squared, math.exp(log_bandwidth), dim)[0].mean()

    grid = middle + _GRID
    index = int(np.clip(np.argmin([loss(each) for each in grid]), 1, len(grid) - 2))
    found = scipy.optimize.minimize_scalar(
        loss, bounds=(grid[index - 1], grid[index + 1]), method="bounded", options={"xatol": _PRECISION}
    )
    return math.exp(found.x)


def _log_densities(squared, bandwidth, dim):
    """(log-density [t], responsibility of each sample [t, m]) at squared distances [t, m]."""
    exponents = squared * (-0.5 / bandwidth**2)
    most = exponents.max(axis=1, keepdims=True)
    exponents -= most
    np.exp(exponents, out=exponents)
    total = exponents.sum(axis=1, keepdims=True)
    exponents /= total
    constant = math.log(squared.shape[1]) + 0.5 * dim * math.log(2.0 * math.pi * bandwidth**2)
    return (most + np.log(total))[:, 0] - constant, exponents
