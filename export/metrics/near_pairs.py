"""Pairs of near points: each point with its nearest neighbours in its own set, and the pairs within given distances.

`distance_bounds.Bounds` tells which pairs are surely near and which surely are not; only those in between are measured,
exactly if need be, so that all results are those of the exact distances. In memory are a tile of bounds and the near
pairs, which do not grow with the product of the sets' sizes.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from export.metrics.distance_bounds import TILE

#: Pairs that are kept or measured for each point, and for each pair that there is, before a search gives up.
_FOR_EACH_POINT, _FOR_EACH_PAIR = 32, 1 / 256


class TooManyError(Exception):
    """So many pairs are as near as each other that measuring them would take longer than products in float64."""


@dataclasses.dataclass(eq=False)
class Pairs:
    """Pairs of points with bounds of their squared distances, in the scale of their `Bounds`.

    Attributes:
      rows, columns: int64 [p], the pairs' points.
      lower, upper: float64 [p]; equal where the distance is known.
    """

    rows: np.ndarray
    columns: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def __len__(self):
        return len(self.rows)

    def part(self, chosen):
        """Those of a bool mask or of indices."""
        return Pairs(self.rows[chosen], self.columns[chosen], self.lower[chosen], self.upper[chosen])


def joined(parts):
    """The pairs of several `Pairs`, at least one."""
    return Pairs(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Pairs))
    )


class Search:
    """Searches for near pairs among some sets.

    Args:
      bounds: `distance_bounds.Bounds` of the sets.

    All methods raise `TooManyError` where more pairs are to be kept or measured than 32 a point and 1 in 256 of all.
    """

    def __init__(self, bounds):
        self._bounds = bounds
        sizes = [len(each) for each in bounds.sets]
        self._budget = _FOR_EACH_POINT * sum(sizes) + _FOR_EACH_PAIR * sum(sizes) ** 2 / 4
        self._measured = 0

    def neighbours(self, index, k) -> Pairs:
        """Each point of a set with all others that may be as near as its k-th nearest.

        Args:
          index: of the set, which has more than k points.
          k: at least 1.
        """
        size = len(self._bounds.sets[index])
        nearest = _Nearest(size, k)
        tiles = range(-(-size // TILE))
        # The tiles on the diagonal come first: they limit what the others have to find.
        found = [self._of_diagonal(index, at, nearest) for at in tiles]
        places = [(row, column) for row in tiles for column in range(row)]
        for place, codes in zip(places, self._bounds.tiles(index, index, places)):
            found += self._of_both(index, codes, place, nearest)
            if sum(map(len, found)) > self._budget:
                found = [nearest.still(joined(found))]
                if len(found[0]) > self._budget:
                    raise TooManyError
        return nearest.still(joined(found))

    def _of_diagonal(self, index, at, nearest):
        codes = self._bounds.tile(index, at, index, at)
        points = at * TILE + np.arange(len(codes))
        lower, upper = self._bounds.ends(codes, index, points[:, None], index, points[None, :])
        # A point is not its own neighbour.
        np.fill_diagonal(upper, np.inf)
        nearest.start(points, upper)
        row, column = np.nonzero(lower <= nearest.limits[points, None])
        row, column = row[row != column], column[row != column]
        return Pairs(points[row], points[column], lower[row, column], upper[row, column])

    def _of_both(self, index, codes, place, nearest):
        """The pairs of a tile beside the diagonal, found for the points of its rows and for those of its columns."""
        rows, columns = (TILE * at + np.arange(size) for at, size in zip(place, codes.shape))
        limit = self._bounds.limit
        near = np.flatnonzero(codes <= limit(nearest.limits[rows])[:, None])
        own = np.flatnonzero(codes <= limit(nearest.limits[columns]))
        own = own[np.argsort(own % codes.shape[1], kind="stable")]
        of_rows = self._pairs(codes, near, index, rows, index, columns)
        of_columns = self._pairs(codes, own, index, rows, index, columns)
        of_columns.rows, of_columns.columns = of_columns.columns, of_columns.rows
        for pairs in (of_rows, of_columns):
            nearest.add(pairs)
        return [of_rows, of_columns]

    def within(self, first, second, row_limits, column_limits):
        """Pairs of two sets that are near by either of two limits.

        Args:
          first, second: the indices of the sets.
          row_limits: float64, one for each point of the first set.
          column_limits: float64, one for each point of the second set.

        Yields:
          `Pairs`, a tile at a time, among them all whose squared distance is at most a limit.
        """
        row_codes, column_codes = self._bounds.limit(row_limits), self._bounds.limit(column_limits)
        counts = (-(-len(limits) // TILE) for limits in (row_limits, column_limits))
        places = list(itertools.product(*map(range, counts)))
        for place, codes in zip(places, self._bounds.tiles(first, second, places)):
            rows, columns = (TILE * at + np.arange(size) for at, size in zip(place, codes.shape))
            near = (codes <= row_codes[rows, None]) | (codes <= column_codes[columns])
            yield self._pairs(codes, np.flatnonzero(near), first, rows, second, columns)

    def _pairs(self, codes, positions, first, rows, second, columns):
        row, column = np.divmod(positions, codes.shape[1])
        row, column = rows[row], columns[column]
        return Pairs(row, column, *self._bounds.ends(codes.ravel()[positions], first, row, second, column))

    def measure(self, first, second, pairs, limits):
        """Measures the pairs whose bounds leave open on which side of a limit they are.

        Args:
          first, second: indices of the sets of `pairs.rows` and `pairs.columns`.
          pairs: `Pairs`, whose bounds come closer. Afterwards `upper` is at most a limit where the squared distance is.
          limits: list of float64 [p], each with one limit for each pair.
        """
        for method in self._bounds.closer:
            open_ = np.zeros(len(pairs), bool)
            for limit in limits:
                open_ |= (pairs.lower <= limit) & (pairs.upper > limit)
            self._measure(first, second, pairs, open_, *method)

    def radii(self, index, pairs, k):
        """Squared distance of each point of a set to its k-th nearest other, float64 [n].

        Args:
          index: of the set.
          pairs: `neighbours` of the set, for this k or a larger one. All that may be as near as the k-th are measured.
          k: at least 1.
        """
        # The distances of k near ones limit which others may be nearer: first those k, then these others.
        for method, bound in itertools.product(self._bounds.closer, ("upper", "lower")):
            limits = _kth(pairs.rows, pairs.upper, k)[pairs.rows]
            self._measure(index, index, pairs, getattr(pairs, bound) <= limits, *method)
        return _kth(pairs.rows, pairs.upper, k)

    def _measure(self, first, second, pairs, chosen, method, width):
        chosen = np.flatnonzero(chosen & (pairs.lower < pairs.upper * (1.0 - width)))
        self._measured += len(chosen)
        if self._measured > self._budget:
            raise TooManyError
        ends = method(first, pairs.rows[chosen], second, pairs.columns[chosen])
        pairs.lower[chosen], pairs.upper[chosen] = ends


class _Nearest:
    """The k least upper bounds that each point of a set has been seen with."""

    def __init__(self, size, k):
        self._least = np.full((size, k), np.inf)
        #: At least the squared distance of each point's k-th nearest.
        self.limits = np.full(size, np.inf)

    def start(self, points, upper):
        """Takes the upper bounds [p, m] of points that have not been seen."""
        k = self._least.shape[1]
        if k < upper.shape[1]:
            upper = np.partition(upper, k - 1, axis=1)[:, :k]
        self._least[points, : upper.shape[1]] = upper
        self.limits[points] = self._least[points].max(axis=1)

    def add(self, pairs):
        """Takes pairs that are ordered by their rows."""
        if not len(pairs):
            return
        points, starts, counts = np.unique(pairs.rows, return_index=True, return_counts=True)
        k, place = self._least.shape[1], np.arange(len(pairs)) - np.repeat(starts, counts)
        upper = np.full((len(points), k + counts.max()), np.inf)
        upper[:, :k] = self._least[points]
        upper[np.repeat(np.arange(len(points)), counts), k + place] = pairs.upper
        self._least[points] = np.partition(upper, k - 1, axis=1)[:, :k]
        self.limits[points] = self._least[points].max(axis=1)

    def still(self, pairs):
        """The pairs that may still be as near as the k-th nearest."""
        return pairs.part(pairs.lower <= self.limits[pairs.rows])


def _kth(points, values, k):
    """The k-th least value of each point, float64 [n]; each of the n points has at least k."""
    order = np.lexsort((values, points))
    starts = np.flatnonzero(np.diff(points[order], prepend=-1))
    return values[order][starts + k - 1]
