"""What passes between data, players and penalties."""

from typing import Any, NamedTuple


class Batch(NamedTuple):
    """Examples with what belongs to them: a pytree, for tf.data, tf.function and tf.distribute alike.

    Attributes:
        x: examples float [N, ...]: images [N, H, W, C] in [-1, 1], points [N, d].
        conditions: what the networks are told beside their input, by name: {"label": int64 [N]}. Not to be changed in
            place.
        latents: [N, z] that generated examples were made from; () for real ones.
    """

    x: Any
    conditions: dict = {}
    latents: Any = ()  # not None, which tf.distribute takes for a tensor

    @classmethod
    def of(cls, element):
        """A data set's element as a batch: itself; examples alone; or a pair of examples and labels."""
        if isinstance(element, cls):
            return element
        if isinstance(element, tuple):
            x, label = element
            return cls(x, {"label": label})
        return cls(element)

    def constant(self):
        """The same batch, whose examples pass no gradient on."""
        import tensorflow as tf

        return self._replace(x=tf.stop_gradient(self.x))
