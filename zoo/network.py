"""Base classes of networks."""

import contextlib

import keras

from zoo import pretrained
from zoo.errors import RequestError
from zoo.options import Configured, Values, declared
from zoo.pretrained.networks import network_class


def _is_activation(value):
    try:
        keras.activations.get(value)
    except (TypeError, ValueError):
        return False
    return True


#: Activations by their names in Keras, and functions.
ACTIVATION = Values(_is_activation, "a Keras activation")


class Preset(keras.Model):
    """A network that can be had pretrained."""

    @classmethod
    def from_preset(cls, preset, load_weights=True):
        """The network of this class in a pretrained model.

        Args:
            preset: name of the model, as of `zoo.load`.
            load_weights: False gives an untrained network of the same config.

        Raises:
            RequestError: there is no such model, or it holds no network of this class.

        Examples:
            >>> critic = zoo.DCGANCritic.from_preset("digits/non_saturating")
        """
        model = pretrained.load(preset)
        classes = {name: network_class(model.path, name) for name in model.networks}
        for name, held in classes.items():
            if issubclass(held, cls):
                return model.keras_model(name, load_weights)
        names = " and ".join(held.__name__ for held in classes.values())
        raise RequestError(f"{cls.__name__}.from_preset: {preset!r} holds {names}")

    def keep(self, part, networks):
        """Makes each of some layers or networks an attribute, ``part_0``, ``part_1``, …, and returns them as a tuple.

        Checkpoints do not see a Keras model's lists.
        """
        for index, network in enumerate(networks):
            setattr(self, f"{part}_{index}", network)
        return tuple(networks)

    def converted(self):
        """A context in which the network is converted to another runtime, which may lack operations of TensorFlow."""
        return contextlib.nullcontext()


class Network(Configured, Preset):
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

    @classmethod
    def facts(cls, spec):
        """Arguments of the constructor that follow from the data's `zoo.datasets.DataSpec`, beside its shape: a dict,
        empty unless overridden. Raises RequestError for data that the network cannot be made for."""
        return {}

    def get_config(self):
        options = {name: getattr(self, name) for name in declared(type(self))}
        return {**super().get_config(), "data_shape": self.data_shape, **options}
