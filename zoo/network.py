"""Base class of the networks that a config names."""

import keras

from zoo.options import Configured, Values, declared


def _is_activation(value):
    try:
        keras.activations.get(value)
    except (TypeError, ValueError):
        return False
    return True


#: Activations by their names in Keras, and functions.
ACTIVATION = Values(_is_activation, "a Keras activation")


class Network(Configured, keras.Model):
    """A network on examples of one shape. A subclass declares its options, see `zoo.options`, which are keyword
    arguments of its constructor and make up `get_config`.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        **kwargs: the options, and those of `keras.Model`.

    Raises:
        RequestError: a value out of range.
    """

    passes_keywords = True

    def __init__(self, data_shape, **kwargs):
        # A config that was read from JSON has lists.
        super().__init__(**{key: tuple(value) if isinstance(value, list) else value for key, value in kwargs.items()})
        self.data_shape = tuple(data_shape)

    def get_config(self):
        options = {name: getattr(self, name) for name in declared(type(self))}
        return {**super().get_config(), "data_shape": self.data_shape, **options}
