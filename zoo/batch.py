"""`Batch`: what data sets, players and penalties exchange."""

from typing import Any, NamedTuple


class Batch(NamedTuple):
    """Examples with their conditions and latents; a pytree for tf.data, tf.function and tf.distribute.

    Attributes:
        x: examples float [N, ...]: images [N, H, W, C] in [-1, 1], points [N, d].
        conditions: further inputs of the networks, by name: {"label": int64 [N]}, {"low_resolution": [N, h, w, C]},
            {"caption": int64 [N, words]}, the numbers of words (`zoo.captions.Tokenizer`). Do not modify in place.
        latents: [N, z] of generated examples; () for real ones.
    """

    x: Any
    conditions: dict = {}
    latents: Any = ()  # not None, which tf.distribute takes for a tensor

    @classmethod
    def of(cls, element):
        """A `Batch` from a data set's element: a `Batch`, examples alone, or a pair (examples, labels)."""
        if isinstance(element, cls):
            return element
        if isinstance(element, tuple):
            x, label = element
            return cls(x, {"label": label})
        return cls(element)

    def constant(self):
        """The same batch, its examples behind tf.stop_gradient."""
        import tensorflow as tf

        return self._replace(x=tf.stop_gradient(self.x))


def takes_labels(network):
    """Whether a network takes the condition "label", as its attribute `conditions` says."""
    return "label" in getattr(network, "conditions", ())


def takes_captions(network):
    """Whether a network takes the condition "caption"."""
    return "caption" in getattr(network, "conditions", ())


def wanted_of_data(network):
    """The arguments of `zoo.datasets.Dataset.batches` that give the conditions which a network takes, a dict."""
    return {"labels": takes_labels(network), "tokenizer": network.tokenizer if takes_captions(network) else None}


def takes_low_resolution(network):
    """Whether a network takes the condition "low_resolution"."""
    return "low_resolution" in getattr(network, "conditions", ())
