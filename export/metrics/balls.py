"""Which points lie in the balls around other points, whose radii are distances to nearest neighbours.

What `export.metrics.precision_recall` counts. Balls are closed, and a point is not its own neighbour.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from export.metrics import distances
from export.metrics.distance_bounds import Bounds, Float32, faster_precision
from export.metrics.near_pairs import Search, TooManyError


@dataclasses.dataclass(eq=False)
class Counts:
    """How balls around data, with the radii R to the k-th and r to the j-th neighbour, and samples lie.

    Attributes:
      sample_in_data: bool [m]: the sample lies in a ball of radius r around a data point.
      data_in_samples: bool [n]: the data point lies in a sample's ball, which reaches to its j-th neighbour.
      around_sample: int64 [m], number of balls of radius R that hold the sample.
      samples_inside: int64 [n], number of samples in the data point's ball of radius R.
      clipped_around_sample: int64 [m], as `around_sample`, of balls no larger than the median R.
      clipped_around_data: int64 [n], number of the other data points' clipped balls that hold the data point.
    """

    sample_in_data: np.ndarray
    data_in_samples: np.ndarray
    around_sample: np.ndarray
    samples_inside: np.ndarray
    clipped_around_sample: np.ndarray
    clipped_around_data: np.ndarray

    @classmethod
    def zeros(cls, n, m):
        return cls(np.zeros(m, bool), np.zeros(n, bool), *(np.zeros(size, np.int64) for size in (m, n, m, n)))


def counts(real, samples, j, k, precision=None) -> Counts:
    """Counts the points in balls around data and samples.

    Distances are those of the differences of coordinates in float64, of which few need be computed
    (`export.metrics.near_pairs`). Where too many are nearly equal, as in sets of copies of few points, all come from
    products in float64, in which equal distances may differ by rounding.

    Args:
      real: [n, d], finite; n is more than j and k.
      samples: [m, d], finite; m is more than j.
      j, k: neighbours that the radii reach to.
      precision: as of `distance_bounds.Bounds`, to begin with; None for the faster one.

    Returns:
      `Counts`.
    """
    precision = precision or faster_precision(max(len(real), len(samples)) ** 2 * real.shape[1])
    for each in dict.fromkeys([precision, Float32]):
        try:
            return _of_few(Search(Bounds([real, samples], each)), len(real), len(samples), j, k)
        except TooManyError:
            pass
    return _of_all(real, samples, j, k)


def _of_few(search, n, m, j, k):
    """`Counts` of two sets, by their near pairs."""
    pairs = search.neighbours(0, max(j, k))
    small, large = search.radii(0, pairs, j), search.radii(0, pairs, k)
    clipped = np.minimum(large, np.median(large))
    of_samples = search.radii(1, search.neighbours(1, j), j)

    found = Counts.zeros(n, m)
    # All pairs in these balls have been measured for the radii.
    found.clipped_around_data += np.bincount(pairs.columns[pairs.upper <= clipped[pairs.rows]], minlength=n)
    for pairs in search.within(0, 1, np.maximum(small, large), of_samples):
        limits = [small[pairs.rows], large[pairs.rows], clipped[pairs.rows], of_samples[pairs.columns]]
        search.measure(0, 1, pairs, limits)
        in_small, in_large, in_clipped, in_samples = (pairs.upper <= limit for limit in limits)
        found.sample_in_data[pairs.columns[in_small]] = True
        found.data_in_samples[pairs.rows[in_samples]] = True
        found.around_sample += np.bincount(pairs.columns[in_large], minlength=m)
        found.samples_inside += np.bincount(pairs.rows[in_large], minlength=n)
        found.clipped_around_sample += np.bincount(pairs.columns[in_clipped], minlength=m)
    return found


def _of_all(real, samples, j, k):
    """`Counts` of two sets, by all their distances."""
    # Centring leaves distances unchanged and reduces the rounding errors of inner products.
    samples, real = distances.centred(samples, real)
    radii = distances.nearest(real, real, max(j, k), same=True)[0]
    small, large = radii[:, j - 1], radii[:, k - 1]
    of_samples = distances.nearest(samples, samples, j, same=True)[0][:, j - 1]
    clipped = np.minimum(large, np.median(large))

    found = Counts.zeros(len(real), len(samples))
    for start, squared in distances.squared_distances(real, real):
        rows = slice(start, start + len(squared))
        inside = squared <= clipped[rows, None]
        inside[np.arange(len(inside)), start + np.arange(len(inside))] = False
        found.clipped_around_data += inside.sum(axis=0)
    for start, squared in distances.squared_distances(real, samples):
        rows = slice(start, start + len(squared))
        inside = squared <= large[rows, None]
        found.sample_in_data |= (squared <= small[rows, None]).any(axis=0)
        found.data_in_samples[rows] = (squared <= of_samples).any(axis=1)
        found.around_sample += inside.sum(axis=0)
        found.samples_inside[rows] = inside.sum(axis=1)
        found.clipped_around_sample += (squared <= clipped[rows, None]).sum(axis=0)
    return found
