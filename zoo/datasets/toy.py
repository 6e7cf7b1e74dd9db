"""Toy densities, most of them in the plane, on which a GAN can be plotted and measured exactly.

Points keep the coordinates of the literature; they are not squashed into [-1, 1]. Examples never end: batch s is drawn
from (seed, split, s), so train and test are two streams of one density.
"""

import urllib.parse

import numpy as np

from zoo.datasets.dataset import Dataset, stream_key
from zoo.errors import RequestError

_EVALUATION_SEED = 0
_EVALUATION_EXAMPLES = 10_000


class ToyDataset(Dataset):
    """A density; a subclass defines parameters with defaults, `_draw` and, if known, `log_density`.

    Attributes:
        parameters: The parameters' values, e.g. ``{"modes": 8, "radius": 2.0, "std": 0.02}``.
        modes: Centres of the modes, float64 ``[M, d]``, or None where there are none.
        std: Standard deviation of a mode (or of the noise) in each coordinate, or None.
        has_log_density: Whether `log_density` is known.
    """

    defaults = {}
    modes = None
    std = None
    has_log_density = False

    def __init__(self, name, parameters):
        self.parameters = {**self.defaults, **parameters}
        super().__init__(name, (2,))

    def num_examples(self, split):
        self._check_split(split)
        return None

    def log_density(self, x):
        """Exact natural logarithm of the density.

        Args:
            x: ``[n, d]``, read as float64.

        Returns:
            float64 ``[n]``, -inf outside the support.

        Raises:
            RequestError: The density is not known in closed form, or does not exist (two segments have no area).
        """
        raise RequestError(f"data.source '{self.name}': its log-density is not known exactly")

    def arrays(self, split, num=None):
        """`num` points of a fixed stream (None: 10,000), float32 ``[num, d]``, and the labels int64 ``[num]`` or
        None."""
        self._check_split(split)
        import tensorflow as tf

        num = _EVALUATION_EXAMPLES if num is None else num
        with tf.device("CPU:0"):
            x, y = self._draw(num, tf.constant([stream_key(_EVALUATION_SEED, f"{split} arrays"), 0], tf.int64))
        return x.numpy(), None if self.num_classes is None else y.numpy()

    def _draw(self, num, seed):
        """`num` points float32 [num, d] and int64 [num] (0 without labels) from an int64 [2] seed, in TensorFlow."""
        raise NotImplementedError(f"{type(self).__name__} defines no _draw")

    def _piece(self, split, key, batch_size, rows, wanted):
        import tensorflow as tf

        def piece(batch, first_row):
            # Draw the whole global batch, which is small, so that replicas do not change the data.
            x, y = self._draw(batch_size, tf.stack([tf.constant(key, tf.int64), batch]))
            return x[first_row : first_row + rows], {"label": y[first_row : first_row + rows]}

        return piece


class _GaussianModes(ToyDataset):
    """Equally likely isotropic Gaussians around `modes`; the label is the mode."""

    has_log_density = True

    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.std = self.parameters["std"]
        self.modes = self._centres()
        self.num_classes = len(self.modes)

    def log_density(self, x):
        x = np.asarray(x, np.float64)
        total = np.full(len(x), -np.inf)
        for mode in self.modes:  # one by one: memory stays that of x
            total = np.logaddexp(total, -0.5 * np.sum(np.square((x - mode) / self.std), axis=1))
        dim = self.modes.shape[1]
        return total - np.log(len(self.modes)) - dim * (np.log(self.std) + 0.5 * np.log(2 * np.pi))

    def _draw(self, num, seed):
        import tensorflow as tf

        which, noise = _seeds(seed, 2)
        y = tf.random.stateless_uniform([num], which, maxval=len(self.modes), dtype=tf.int64, alg="philox")
        noise = tf.random.stateless_normal([num, self.modes.shape[1]], noise, alg="philox")
        return tf.gather(tf.constant(self.modes, tf.float32), y) + self.std * noise, y


class Ring(_GaussianModes):
    """Gaussians on a circle (Metz et al. 2016, unrolled GANs): ``ring?modes=8&radius=2&std=0.02``."""

    defaults = {"modes": 8, "radius": 2.0, "std": 0.02}

    def _centres(self):
        angle = 2 * np.pi * np.arange(self.parameters["modes"]) / self.parameters["modes"]
        return self.parameters["radius"] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


class Grid(_GaussianModes):
    """side x side Gaussians, coordinates -4, -2, 0, 2, 4 (Dumoulin et al. 2017, ALI).

    ``grid?side=5&spacing=2&std=0.05``. Modes are numbered row by row.
    """

    defaults = {"side": 5, "spacing": 2.0, "std": 0.05}

    def _centres(self):
        line = self.parameters["spacing"] * (np.arange(self.parameters["side"]) - (self.parameters["side"] - 1) / 2)
        return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


class SwissRoll(ToyDataset):
    """A spiral with Gaussian noise, scaled as in Gulrajani et al. 2017: ``swiss_roll?noise=0.25``.

    With u uniform on [0, 1], t = 1.5 pi (1 + 2 u): the point (t cos t, t sin t) + noise, over 7.5. No log-density.
    """

    defaults = {"noise": 0.25}
    _SCALE = 7.5

    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.std = self.parameters["noise"] / self._SCALE

    def _draw(self, num, seed):
        import tensorflow as tf

        along, noise = _seeds(seed, 2)
        t = 1.5 * np.pi * (1 + 2 * tf.random.stateless_uniform([num], along, alg="philox"))
        spiral = tf.stack([t * tf.cos(t), t * tf.sin(t)], axis=1) / self._SCALE
        return spiral + self.std * tf.random.stateless_normal([num, 2], noise, alg="philox"), tf.zeros(num, tf.int64)


class Uniform(ToyDataset):
    """Uniform on [-1, 1]^dim (Nagarajan & Kolter 2017 in one dimension): ``uniform?dim=1``."""

    defaults = {"dim": 1}
    has_log_density = True

    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.data_shape = (self.parameters["dim"],)

    def log_density(self, x):
        x = np.asarray(x, np.float64)
        return np.where(np.all(np.abs(x) <= 1, axis=1), -self.parameters["dim"] * np.log(2), -np.inf)

    def _draw(self, num, seed):
        import tensorflow as tf

        x = tf.random.stateless_uniform([num, *self.data_shape], seed, minval=-1.0, maxval=1.0, alg="philox")
        return x, tf.zeros(num, tf.int64)


class TwoSegments(ToyDataset):
    """The vertical segments {-offset} x [0, 1] and {offset} x [0, 1], equally likely: ``two_segments?offset=0.5``.

    A support of dimension one, as in the example of Arjovsky et al. 2017; there is no density in the plane. The label
    is the segment, 0 on the left; the two labels are the two distributions of that example.
    """

    defaults = {"offset": 0.5}

    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.num_classes = 2

    def _draw(self, num, seed):
        import tensorflow as tf

        which, height = _seeds(seed, 2)
        y = tf.random.stateless_uniform([num], which, maxval=2, dtype=tf.int64, alg="philox")
        x = self.parameters["offset"] * tf.cast(2 * y - 1, tf.float32)
        return tf.stack([x, tf.random.stateless_uniform([num], height, alg="philox")], axis=1), y


FAMILIES = {"ring": Ring, "grid": Grid, "swiss_roll": SwissRoll, "uniform": Uniform, "two_segments": TwoSegments}


def load(source):
    """Makes a toy density from ``NAME`` or ``NAME?parameter=value&…``.

    Args:
        source: E.g. ``ring`` or ``ring?modes=10&std=0.05``; the name is a key of `FAMILIES`.

    Returns:
        A `ToyDataset`.

    Raises:
        RequestError: A parameter that the density does not have, or whose value is no number above 0.
    """
    name, _, query = source.partition("?")
    family = FAMILIES[name]
    parameters = {}
    for key, text in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if key not in family.defaults:
            known = ", ".join(family.defaults)
            raise RequestError(f"data.source '{source}': {name} has no parameter {key!r}, only {known}")
        kind = type(family.defaults[key])
        try:
            parameters[key] = kind(text)
        except ValueError:
            parameters[key] = None
        if parameters[key] is None or not 0 < parameters[key] < float("inf"):
            wanted = "a whole number" if kind is int else "a number"
            raise RequestError(f"data.source '{source}': {key}={text}, expected {wanted} above 0")
    return family(source, parameters)


def _seeds(seed, num):
    import tensorflow as tf

    return tf.unstack(tf.random.split(seed, num, alg="philox"))
