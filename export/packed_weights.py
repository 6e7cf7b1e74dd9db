"""Generators whose weights are stored as 16-bit fixed-point numbers, for small files.

float16 would take as much room and be further from the weights; and processors without AVX-512 make oneDNN log an error
for a graph with it.
"""

import numpy as np

from trainers.program import RunFailed
from zoo.pretrained.networks import is_packed, pack

#: Seeds whose samples are compared.
_COMPARED = range(64)
#: Steps from the lowest to the highest value of a sample: the grey levels of 8-bit images.
_LEVELS = 255


class PackedWeights:
    """A generator that stores kernels and other matrices as int16 and a scale each, and computes in their own dtype.

    Vectors, such as biases and the statistics of normalisations, are few and stored as they are. All other attributes
    are those of the generator that it is made of.

    Args:
        sampler: Keras model.

    Attributes:
        stored: list of the variables to save, in the order of `sampler.variables`.
        scales: {index in that list, as text: float32 variable}: a packed weight is its number times its scale.
    """

    def __init__(self, sampler):
        import tensorflow as tf

        self._sampler, self.stored, self.scales = sampler, [], {}
        for index, variable in enumerate(sampler.variables):
            if not is_packed(variable.shape, tf.as_dtype(variable.dtype).as_numpy_dtype):
                self.stored.append(variable.value)
                continue
            packed, scale = pack(variable.value)
            self.stored.append(tf.Variable(packed, trainable=False))
            self.scales[str(index)] = tf.Variable(scale, trainable=False)

    def __call__(self, latents, **inputs):
        import keras
        import tensorflow as tf

        unpacked = []
        for index, scale in self.scales.items():
            variable = self._sampler.variables[int(index)]
            value = tf.cast(self.stored[int(index)], tf.float32) * scale
            unpacked.append((variable, tf.cast(value, variable.dtype)))
        with keras.StatelessScope(state_mapping=unpacked):
            return self._sampler(latents, **inputs)

    def __getattr__(self, name):
        return getattr(self._sampler, name)


def check_same_samples(full, packed):
    """Raises RunFailed where samples of the same seeds differ by more than a grey level.

    Args:
        full, packed: `export.generators.Generator`s, before and after. For points a level is a 255th of their range.
    """
    expected, found = (generator.sample(_COMPARED).astype(np.float64) for generator in (full, packed))
    level = 1.0 if expected.ndim == 4 else np.ptp(expected) / _LEVELS
    furthest = np.max(np.abs(found - expected)) / level
    if not furthest <= 1.0:
        raise RunFailed(
            f"--storage: with weights in int16 a sample differs by {furthest:.3g} grey levels; expected at most 1, "
            "use float32"
        )
