"""Base class of the networks that a config names."""

import keras

from zoo.options import Values, declared, resolve


def _is_activation(value):
    try:
        keras.activations.get(value)
    except (TypeError, ValueError):
        return False
    return True


#: Activations by their names in Keras, and functions.
ACTIVATION = Values(_is_activation, "a Keras activation")


class Network(keras.Model):
    """A network on examples of one shape. A subclass declares its options, see `zoo.options`, which are keyword
    arguments of its constructor and make up `get_config`.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        **kwargs: the options, and those of `keras.Model`.

    Raises:
        RequestError: a value out of range.
    """

    def __init__(self, data_shape, **kwargs):
        known = declared(type(self))
        given = {name: kwargs.pop(name) for name in known if name in kwargs}
        options = resolve(known, given, type(self).__name__, type(self).__name__)
        super().__init__(**kwargs)
        self.data_shape = tuple(data_shape)
        for name, value in options.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)

    def get_config(self):
        options = {name: getattr(self, name) for name in declared(type(self))}
        return {**super().get_config(), "data_shape": self.data_shape, **options}
