"""A pretrained generator, as `zoo.load` gives it."""

import functools
import json
import os
import pathlib

import numpy as np

from zoo.pretrained import cards, networks
from zoo.pretrained.networks import EXTRA


class Pretrained:
    """A pretrained generator.

    Args:
        name: of the model.
        path: directory of its SavedModel, written by `export.saved_model`.

    Attributes:
        card: dict, the model card.
    """

    def __init__(self, name, path):
        self.name, self.path = name, pathlib.Path(path)
        self.card = cards.read(self.path)

    def __repr__(self):
        return f"zoo.load({self.name!r})"

    @functools.cached_property
    def report(self):
        """The report that the card's metrics come from, a dict."""
        return json.loads((self.path / EXTRA / "report.json").read_text())

    @functools.cached_property
    def _model(self):
        import tensorflow as tf

        return tf.saved_model.load(os.fspath(self.path))

    @property
    def signatures(self):
        """{name: function} of the SavedModel; the card describes their inputs and outputs."""
        return self._model.signatures

    def _call(self, signature, **inputs):
        (output,) = self.signatures[signature](**inputs).values()
        return output.numpy()

    def sample(self, n, seed=0, label=None):
        """The examples of the seeds `seed`, …, `seed` + n - 1, as `export.sample` draws them.

        Args:
            n: number of examples.
            seed: the first seed.
            label: class of all, its number or its name in the card; the seeds decide if None.

        Returns:
            NumPy uint8 [n, H, W, C], or float32 [n, d].

        Raises:
            RequestError: the model is told no labels, or has no such class.
        """
        import tensorflow as tf

        seeds = tf.range(seed, seed + n, dtype=tf.int64)
        if label is None:
            return self._call("sample", seeds=seeds)
        number = cards.class_number(self.card, label, "label")
        return self._call("sample_with_labels", seeds=seeds, labels=tf.fill([n], tf.constant(number, tf.int64)))

    def interpolate(self, a, b, steps):
        """Examples on the great circle from the latents of one seed to those of another. See `zoo.noise.great_circle`.

        Args:
            a, b: seeds.
            steps: number of examples, 2 or more; the first is that of `a`, the last that of `b`.

        Returns:
            NumPy float32 [steps, H, W, C] in [-1, 1], or [steps, d].
        """
        import tensorflow as tf

        from zoo.noise import great_circle

        one, two = self._call("latents", seeds=tf.constant([a, b], tf.int64)).astype(np.float64)
        latents = great_circle(one, two, steps)
        (spec,) = self.signatures["serving_default"].structured_input_signature[1].values()
        return self._call("serving_default", **{spec.name: tf.constant(latents, spec.dtype)})

    @property
    def networks(self):
        """Names of the networks that `keras_model` gives: "generator", and those that trained it, such as "critic"."""
        return networks.names(self.path)

    def keras_model(self, network="generator", load_weights=True):
        """A network as a Keras model with its weights, for further work.

        Args:
            network: one of `networks`. The generator is the one of the samples, the moving average of training.
            load_weights: False gives an untrained network of the same config.

        Raises:
            RequestError: there is no such network.
        """
        return networks.read(self.path, network, load_weights)
