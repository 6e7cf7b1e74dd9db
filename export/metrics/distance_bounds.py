"""Bounds of squared distances from one matrix product in low precision, and the distances themselves for a few pairs.

Which points are near each other is mostly plain from few digits. A matrix product in float32 is twice as fast as one in
float64, one in bfloat16 on a processor with matrix units many times; `Bounds` gives both ends between which the squared
distance then lies. Where they leave something open, it is computed from the differences of coordinates: in float32,
which is twice as fast and leaves few pairs open, and in float64.

The bounds, for points x and y with ‖x‖² = p, ‖y‖² = q, of which the product sees x̂, ŷ:

- ‖x - x̂‖ ≤ τ ‖x‖, so that 2 x̂·ŷ errs by at most 2 (2τ + τ²) ‖x‖ ‖y‖ ≤ (2τ + τ²) (p + q); τ is measured;
- a sum of n products in float32 errs by γ = n u / (1 - n u), u = 2⁻²⁴, times the sum of their magnitudes, at most
  2.05 (p + q), in whatever order it is taken (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section
  3.1);
- the norms, two more terms of the product, carry 24 bits.

Together they err by at most η (p + q), and as p + q is a sum, the product can give p + q - 2 x·y - η (p + q), a lower
bound, at once.
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import timeit

import numpy as np

#: Points of either set in a tile, of which one product gives all bounds.
TILE = 512
#: Tiles that are prepared or multiplied at a time.
_WORKERS = 2
#: Coordinates of the pairs whose distances are computed at a time: few enough for a processor's cache.
_COORDINATES = 2**15
_FLOAT32_UNIT = 2.0**-24
#: Terms in which a norm is written, each in 8 bits: 24 bits together.
_PIECES = 3
#: Products that flush results below 2⁻¹²⁶ to zero lose less than this, at norms of at most 1.
_TINY = 2.0**-100
#: Where coordinates are between 2 to the power of minus and plus this, squares in float32 that are flushed to zero lose
#: less than the second number.
_EXPONENTS, _UNDERFLOW = 24, 2.0**-60
#: Multiplications from which on it pays to ask which precision is faster.
_MANY = 1e10
#: Products in each precision that tell which is faster.
_TRIALS = 5


class Float32:
    """Products of NumPy in float32. Their results compare as they are."""

    unit = 0.0

    @staticmethod
    def rounded(values):
        """Float64 values as the product sees them, in float32."""
        return values.astype(np.float32)

    @staticmethod
    def operand(values):
        """What `product` takes, from float32 [n, d] that were `rounded`."""
        return values

    @staticmethod
    def product(left, right):
        """left [n, d], right [m, d] -> codes [n, m] of their inner products."""
        return left @ right.T

    @staticmethod
    def code(values):
        """The least codes that are not below float64 values ≥ 0."""
        codes = values.astype(np.float32)
        return np.where(codes < values, np.nextafter(codes, np.float32(np.inf)), codes)

    @staticmethod
    def value(codes):
        """Float64 values of codes."""
        return codes.astype(np.float64)


class BFloat16:
    """Products of TensorFlow in bfloat16, summed in float32 and rounded to bfloat16 by oneDNN.

    The results compare as the 16-bit integers of the same bits, in the same order from 0 on; a negative number is below
    all of them, as it should.
    """

    #: Relative error of a rounded result.
    unit = 2.0**-8

    @staticmethod
    def rounded(values):
        """Float64 values as the product sees them, in float32."""
        import tensorflow as tf

        with tf.device("CPU"):
            return tf.cast(tf.cast(values.astype(np.float32), tf.bfloat16), tf.float32).numpy()

    @staticmethod
    def operand(values):
        """What `product` takes, from float32 [n, d] that were `rounded`."""
        import tensorflow as tf

        with tf.device("CPU"):
            return tf.cast(tf.constant(values), tf.bfloat16)

    @staticmethod
    def product(left, right):
        """left [n, d], right [m, d] -> codes [n, m] of their inner products."""
        import tensorflow as tf

        with tf.device("CPU"):
            return tf.matmul(left, right, transpose_b=True).numpy().view(np.int16)

    @staticmethod
    def code(values):
        """The least codes that are not below float64 values ≥ 0."""
        bits = Float32.code(values).view(np.int32)
        return ((bits + 0xFFFF) >> 16).astype(np.int16)

    @staticmethod
    def value(codes):
        """Float64 values of codes."""
        return (codes.astype(np.int32) << 16).view(np.float32).astype(np.float64)


class Bounds:
    """Bounds of the squared distances between any two of some sets of points.

    Args:
      sets: arrays [n, d] of finite real numbers, all of one width.
      precision: `Float32` or `BFloat16`.

    Attributes:
      sets: as given.
      scale: factor of all squared distances here: a power of four that brings the largest norm below 1.
      closer: [(method, width)]: `differences` and `exact`, or `exact` alone where float32 does not hold the points, and
        the largest relative difference of the ends that they give.
    """

    def __init__(self, sets, precision):
        self.sets = sets
        width, centre = sets[0].shape[1], sets[0].mean(axis=0, dtype=np.float64)
        self._precision = precision
        largest = max(np.abs(end - centre).max() for each in sets for end in (each.min(axis=0), each.max(axis=0)))
        exponent = -int(np.frexp(largest * np.sqrt(width))[1])
        self.scale = 4.0**exponent
        tiles = [[each[start : start + TILE] for start in range(0, len(each), TILE)] for each in sets]
        # Distances come from inner products; centred points have the smallest, and so the least errors.
        seen = [list(_in_threads(lambda tile: self._seen(tile, centre, 2.0**exponent), each)) for each in tiles]
        self._norms = [np.concatenate([norms for _, norms, _ in each]) for each in seen]
        worst = max(lost for each in seen for *_, lost in each)
        terms = width + 2 * _PIECES
        gamma = terms * _FLOAT32_UNIT / (1.0 - terms * _FLOAT32_UNIT)
        # The last term: 24 bits of the norms, and all that float64 loses.
        self._error = 2.0 * worst + worst**2 + 2.05 * gamma + 2.0**-22
        self._operands = [list(_in_threads(lambda tile: self._sides(*tile[:2]), each)) for each in seen]
        # The difference of two float32 numbers errs by u of itself, and so do its square and each of the sums.
        self._of_sum = (width + 4) * _FLOAT32_UNIT / (1.0 - (width + 4) * _FLOAT32_UNIT)
        self.closer = [(self.exact, 0.0)]
        if self._of_sum < 2.0**-10 and abs(exponent) < _EXPONENTS and all(each.dtype == np.float32 for each in sets):
            self.closer.insert(0, (self.differences, 3.0 * self._of_sum))

    def _seen(self, points, centre, factor):
        """(points as a product sees them, their squared norms before that, the largest τ) of a tile."""
        centred = points - centre
        centred *= factor
        rounded, norms = self._precision.rounded(centred), _squared_norms(centred)
        centred -= rounded
        worst = np.max(_squared_norms(centred) / np.where(norms > 0.0, norms, 1.0))
        return rounded, norms, np.sqrt(worst)

    def _sides(self, seen, norms):
        """(left, right) of a tile: the operands of products that give lower bounds."""
        pieces, rest = [], (1.0 - self._error) * norms - _TINY
        for _ in range(_PIECES):
            pieces.append(self._precision.rounded(rest))
            rest = rest - pieces[-1]
        pieces = np.stack(pieces, axis=1)
        ones, operand = np.ones_like(pieces), self._precision.operand
        return tuple(
            operand(np.concatenate(side, axis=1)) for side in ([-2.0 * seen, pieces, ones], [seen, ones, pieces])
        )

    def tile(self, first, row, second, column):
        """Codes [n, m] of the bounds between tile `row` of set `first` and tile `column` of set `second`."""
        return self._precision.product(self._operands[first][row][0], self._operands[second][column][1])

    def tiles(self, first, second, places):
        """Yields the codes of `tile` at each (row, column) of `places`; the next ones are computed meanwhile."""
        return _in_threads(lambda place: self.tile(first, place[0], second, place[1]), places)

    def limit(self, squared):
        """Codes such that a pair's code is at most that if its squared distance may be at most `squared`, ≥ 0."""
        # A lower bound is rounded to a code that is at most the next one, as these are. No distance is infinite.
        return self._precision.code(np.minimum(squared, 1e30))

    def ends(self, codes, first, rows, second, columns):
        """(lower, upper) bounds, float64, of the pairs of points `rows` of one set and `columns` of another."""
        values, unit = np.maximum(self._precision.value(codes), 0.0), self._precision.unit
        slack = 2.0 * self._error * (self._norms[first][rows] + self._norms[second][columns]) + 4.0 * _TINY
        return values / (1.0 + unit), values / (1.0 - unit) + slack

    def differences(self, first, rows, second, columns):
        """(lower, upper) bounds, float64, of the same pairs, from differences of coordinates in float32."""
        found, x, y = np.empty(len(rows)), self.sets[first], self.sets[second]
        for part in _parts(len(rows), x.shape[1]):
            difference = x[rows[part]]
            difference -= y[columns[part]]
            found[part] = _squared_norms(difference)
        found *= self.scale
        return found * (1.0 - self._of_sum) - _UNDERFLOW, found * (1.0 + self._of_sum) + _UNDERFLOW

    def exact(self, first, rows, second, columns):
        """The squared distances themselves, in float64, of the same pairs, as both ends."""
        found = squared_distances_of(self.sets[first], rows, self.sets[second], columns) * self.scale
        return found, found


def squared_distances_of(x, rows, y, columns):
    """Squared distances of pairs of points, by the differences of their coordinates.

    A pair's distance does not depend on the other pairs, nor on which of the two points comes first, so that equal
    distances are equal to the last bit and copies of a point are at 0.

    Args:
      x: [n, d].
      rows: int [p], indices into x.
      y: [m, d].
      columns: int [p], indices into y.

    Returns:
      float64 [p].
    """
    found = np.empty(len(rows))
    for part in _parts(len(rows), x.shape[1]):
        difference = x[rows[part]].astype(np.float64, copy=False)
        difference -= y[columns[part]]
        # Not a BLAS' inner product, whose order may depend on where the row lies in memory.
        found[part] = np.square(difference, out=difference).sum(axis=1)
    return found


def _in_threads(function, items):
    """Yields a function's value for each of a list of items, in their order; the next ones are computed meanwhile."""
    if len(items) < 2:
        # A thread takes longer to start than points of one tile take.
        yield from map(function, items)
        return
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as workers:
        ahead = collections.deque()
        for item in items:
            ahead.append(workers.submit(function, item))
            if len(ahead) > _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _parts(pairs, width):
    """Slices of a number of pairs of points, few enough to stay in a processor's cache."""
    step = max(1, _COORDINATES // width)
    return (slice(start, start + step) for start in range(0, pairs, step))


def faster_precision(multiplications):
    """`BFloat16` where that is faster here by half, for products of so many multiplications; else `Float32`.

    Either leads to the same results. Processors without instructions for bfloat16 are slower with it.
    """
    return BFloat16 if multiplications >= _MANY and _bfloat16_is_faster() else Float32


@functools.cache
def _bfloat16_is_faster():
    seconds, points = {}, np.random.default_rng(0).normal(size=(TILE, 2 * TILE))
    # The second half of each inner product takes back the first one: what is left shows whether sums are rounded on
    # the way, which the bounds do not allow for.
    right = np.concatenate([points, -points], axis=1)
    left = np.concatenate([points, points + 2.0**-6], axis=1)
    for precision in (Float32, BFloat16):
        operands = [precision.operand(precision.rounded(each)) for each in (left, right)]
        # The first product also sets up what the others find; any may be held up by other work on the machine.
        seconds[precision] = min(
            timeit.repeat(functools.partial(precision.product, *operands), number=1, repeat=_TRIALS)
        )
        found = precision.value(precision.product(*operands))
    seen, other = (BFloat16.rounded(each).astype(np.float64) for each in (left, right))
    expected = seen @ other.T
    allowed = BFloat16.unit * np.abs(expected) + 1.01 * left.shape[1] * _FLOAT32_UNIT * (np.abs(seen) @ np.abs(other).T)
    return bool(np.all(np.abs(found - expected) <= allowed) and seconds[BFloat16] < seconds[Float32] / 1.5)


def _squared_norms(x):
    return np.einsum("nd,nd->n", x, x)
