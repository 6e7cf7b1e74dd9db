"""Generators whose weights are stored as 16-bit fixed-point numbers, for small files.

They take as much room as float16, and are closer to the weights: the error is at most a 65,534th of a tensor's largest
weight. (Processors without AVX-512 also make oneDNN log an error for a graph with float16.)
"""

import numpy as np

from trainers.program import RunFailed

#: Seeds whose samples are compared.
_COMPARED = range(64)
#: Steps from the lowest to the highest value of a sample: the grey levels of 8-bit images.
_LEVELS = 255
_LARGEST = 2**15 - 1


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
            if len(variable.shape) < 2 or not tf.as_dtype(variable.dtype).is_floating:
                self.stored.append(variable.value)
                continue
            weights = np.asarray(variable.value, np.float64)
            scale = np.float32(np.max(np.abs(weights)) / _LARGEST) or np.float32(1.0)
            packed = np.clip(np.rint(weights / scale), -_LARGEST, _LARGEST).astype(np.int16)
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
