"""Noise that is a function of (key, row): the same example gets the same noise wherever it is computed.

A GAN draws noise at every step. Drawn from a stateful generator, or from one stateless seed per replica, the numbers
that an example receives depend on how the batch was cut and on what was drawn before. Here every example is numbered
by its row in the global batch, and its noise is the output of a counter-based generator keyed by (seed, step, purpose)
at counter (row, column). So one replica or eight, a run or its resumption, XLA or not, draw the same bits, and a
generator served in batches of any size gives a seed the same latents.

The generator is Threefry-2x32 with 20 rounds: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy
as 1, 2, 3", SC 2011. TensorFlow's own stateless operations number the elements of one whole tensor, and turn bits into
normals differently with and without XLA, which is why they cannot be used for this.
"""

import math
import zlib

import numpy as np
import tensorflow as tf

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _rotate(x, distance):
    left = tf.bitwise.left_shift(x, tf.constant(distance, tf.uint32))
    return tf.bitwise.bitwise_or(left, tf.bitwise.right_shift(x, tf.constant(32 - distance, tf.uint32)))


def threefry2x32(key, counter):
    """Encrypts `counter` with `key`: 64 random bits for every (key, counter) pair.

    Args:
        key: pair of uint32 tensors, broadcastable with `counter`.
        counter: pair of uint32 tensors.

    Returns:
        Pair of uint32 tensors of the broadcast shape, uniform over [0, 2³²).
    """
    parity = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key[0], key[1]), tf.constant(_PARITY, tf.uint32))
    schedule = (key[0], key[1], parity)
    x, y = counter[0] + schedule[0], counter[1] + schedule[1]
    for injection in range(5):
        for distance in _ROTATIONS[injection % 2]:
            x = x + y
            y = tf.bitwise.bitwise_xor(_rotate(y, distance), x)
        x = x + schedule[(injection + 1) % 3]
        y = y + schedule[(injection + 2) % 3] + tf.constant(injection + 1, tf.uint32)
    return x, y


def key_from(seed):
    """The key of an integer seed (or of a tensor of seeds, int64): its high and its low 32 bits."""
    seed = tf.cast(seed, tf.int64)
    high = tf.cast(tf.bitwise.right_shift(seed, tf.constant(32, tf.int64)), tf.uint32)
    return high, tf.cast(seed, tf.uint32)


#: `threefry2x32` as one operation, for scalar keys: a step derives many, and a hundred operations each trace slowly.
_threefry2x32_of_one = tf.function(threefry2x32, autograph=False)


def fold_in(key, number):
    """A new key from `key` and an integer (or int64 tensor) `number`; different numbers give unrelated keys."""
    one = key[0].shape.rank == 0
    return (_threefry2x32_of_one if one else threefry2x32)(key, key_from(number))


def _unit_interval(bits):
    """uint32 bits → float32 in [0, 1), multiples of 2⁻²⁴, so that every value is exact."""
    return tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def choose(normals, logits):
    """Indices as a function of standard normals: i with probability softmax(logits)ᵢ.

    The bounds of the cumulative probabilities are taken to the axis of the normals, in float64, and from there to the
    next float32: no normal falls between the two. So the numbers that depend on the batch are only compared, in their
    own dtype, which no kernel rounds, and which runtimes without float64 do too.

    Args:
        normals: float32 [N]; other dtypes are cast.
        logits: float [K].

    Returns:
        int32 [N], in [0, K).
    """
    cumulative = tf.cumsum(tf.nn.softmax(tf.cast(tf.convert_to_tensor(logits), tf.float64)))
    # The last bound is left out: a CDF of 1.0 still maps to a valid index.
    exact = tf.math.ndtri(cumulative[:-1])
    bounds = tf.cast(exact, tf.float32)
    bounds = tf.where(tf.cast(bounds, tf.float64) < exact, tf.math.nextafter(bounds, math.inf), bounds)
    return tf.reduce_sum(tf.cast(tf.cast(normals, tf.float32)[:, None] >= bounds, tf.int32), axis=1)


def great_circle(one, two, steps):
    """Latents on the great circle from one to another.

    High-dimensional latents lie near a sphere, which a straight line would leave. White 2016, "Sampling generative
    networks", section 2.1.

    Args:
        one, two: NumPy float64 [z].
        steps: number of latents, 2 or more; the first is `one`, the last `two`.

    Returns:
        NumPy float64 [steps, z].
    """
    cosine = one @ two / (np.linalg.norm(one) * np.linalg.norm(two))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    t = np.linspace(0.0, 1.0, steps)[:, None]
    if angle < 1e-6:  # the same direction, where the formula divides by zero
        return (1.0 - t) * one + t * two
    return (np.sin((1.0 - t) * angle) * one + np.sin(t * angle) * two) / np.sin(angle)


class Noise:
    """The noise of one step, one row per example.

    Args:
        key: pair of uint32 tensors, scalars (one key; rows differ by their number) or [N] (one key per row).
        rows: int tensor [N], each example's number within the global batch.
    """

    def __init__(self, key, rows):
        self._key = key
        self._rows = tf.cast(rows, tf.uint32)

    @classmethod
    def of_seeds(cls, seeds):
        """Noise of seeds int64 [N]: row i depends on seeds[i] alone, not on its batch."""
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        return cls(key_from(seeds), tf.zeros_like(seeds))

    @classmethod
    def of_step(cls, seed, step, batch_size):
        """Noise of one training step on this replica.

        Args:
            seed: the run's base seed.
            step: int64 scalar tensor, the step's number.
            batch_size: number of examples on each replica. Replica r holds rows r·batch_size … of the global batch.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return cls(fold_in(key_from(seed), step), tf.cast(replica, tf.int32) * batch_size + tf.range(batch_size))

    def fold_in(self, number):
        """The same rows under a new key: for the i-th of several draws in one step."""
        return Noise(fold_in(self._key, number), self._rows)

    def _pairs(self, purpose, count):
        """Two uint32 tensors [N, count] for a named purpose."""
        key = fold_in(self._key, zlib.crc32(purpose.encode()))
        if key[0].shape.rank:
            key = (key[0][:, None], key[1][:, None])
        rows, columns = self._rows[:, None], tf.cast(tf.range(count), tf.uint32)[None, :]
        return threefry2x32(key, (rows + tf.zeros_like(columns), columns + tf.zeros_like(rows)))

    def latents(self, count):
        """The latents float32 [N, count], N(0, 1): a generator's input, in training and for seeds."""
        return self.normal("latents", [count])

    def uniform(self, purpose, shape):
        """float32 [N, *shape], uniform on [0, 1). Different `purpose` strings give independent draws."""
        size = math.prod(shape)
        first, second = self._pairs(purpose, (size + 1) // 2)
        values = tf.concat([_unit_interval(first), _unit_interval(second)], axis=1)[:, :size]
        return tf.reshape(values, [-1, *shape])

    def normal(self, purpose, shape):
        """float32 [N, *shape], standard normal (Box-Muller, so |value| < 5.8).

        Computed in float64 and rounded once. A float32 logarithm or cosine differs in its last bit between a vector
        instruction and the remainder of a loop, hence between batch sizes, and between XLA and the plain kernels.
        """
        size = math.prod(shape)
        first, second = (tf.cast(_unit_interval(bits), tf.float64) for bits in self._pairs(purpose, (size + 1) // 2))
        radius = tf.sqrt(-2.0 * tf.math.log(first + 2.0**-24))
        angle = (2.0 * math.pi) * second
        values = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)[:, :size]
        return tf.reshape(tf.cast(values, tf.float32), [-1, *shape])
