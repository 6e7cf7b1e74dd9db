"""The networks of an exported model as Keras models: the generator, and those that trained it.

The generator's weights are those of the SavedModel. The others lie beside it under `assets.extra/networks/`, a Keras
config and an archive of weights each, in 16-bit fixed point.
"""

import importlib
import io
import json
import os

import numpy as np
from etils import epath

from zoo.options import one_of

#: Folder of a SavedModel for files that TensorFlow does not read.
EXTRA = "assets.extra"
#: Names of a generator's variables in the checkpoint of a SavedModel.
_KEY = "generator_{}/{}/.ATTRIBUTES/VARIABLE_VALUE"
_LARGEST = 2**15 - 1


def pack(weights):
    """A matrix or kernel as 16-bit fixed-point numbers.

    They take as much room as float16, and are closer to the weights: the error is at most a 65,534th of the largest
    weight.

    Args:
        weights: array of any shape.

    Returns:
        (numbers int16 of that shape, scale float32): a weight is its number times the scale.
    """
    weights = np.asarray(weights, np.float64)
    scale = np.float32(np.max(np.abs(weights), initial=0.0) / _LARGEST) or np.float32(1.0)
    return np.clip(np.rint(weights / scale), -_LARGEST, _LARGEST).astype(np.int16), scale


def is_packed(shape, dtype):
    """Whether weights are stored by `pack`: vectors, such as biases and statistics, are few and stay as they are."""
    return len(shape) >= 2 and np.dtype(dtype).kind == "f"


def write(network, folder, name):
    """Writes a Keras model to `folder`/NAME.json and .npz.

    Args:
        network: Keras model that can be rebuilt from its config.
        folder: etils.epath.Path, made if it does not exist.
        name: of the network.
    """
    import keras

    arrays = {}
    for number, variable in enumerate(network.variables):
        value = keras.ops.convert_to_numpy(variable.value)
        if is_packed(value.shape, value.dtype):
            arrays[f"{number}"], arrays[f"{number}.scale"] = pack(value)
        else:
            arrays[f"{number}"] = value
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(keras.saving.serialize_keras_object(network)))
    (folder / f"{name}.npz").write_bytes(content.getvalue())


def names(version):
    """Names of the networks of an exported model, the generator first.

    Args:
        version: directory of its SavedModel.
    """
    extra = epath.Path(version) / EXTRA
    generator = ["generator"] if (extra / "network.json").exists() else []
    others = extra / "networks"
    return generator + (sorted(path.stem for path in others.glob("*.json")) if others.exists() else [])


def read(version, name, load_weights=True):
    """A network of an exported model, a Keras model.

    Args:
        version: directory of its SavedModel.
        name: one of `names`.
        load_weights: whether it gets its trained weights.

    Raises:
        RequestError: there is no such network.
    """
    import keras

    one_of(*names(version)).check(name, f"{version}, network")
    network = keras.saving.deserialize_keras_object(_config(version, name))
    if load_weights:
        archive = epath.Path(version) / EXTRA / "networks" / f"{name}.npz"
        weights = _of_saved_model(version) if name == "generator" else _of_archive(archive)
        for number, variable in enumerate(network.variables):
            variable.assign(weights(number))
    return network


def network_class(version, name):
    """The class of a network of an exported model, one of `names`; the network is not built."""
    import keras

    return keras.saving.get_registered_object(_config(version, name)["registered_name"])


def _config(version, name):
    """Keras' config of a network, whose class is imported, so that Keras finds it."""
    file = "network.json" if name == "generator" else f"networks/{name}.json"
    config = json.loads((epath.Path(version) / EXTRA / file).read_text())
    importlib.import_module(config["module"])
    return config


def _of_saved_model(version):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(os.fspath(epath.Path(version) / "variables" / "variables"))

    def weights(number):
        value = reader.get_tensor(_KEY.format("variables", number))
        if value.dtype != np.int16:
            return value
        return value.astype(np.float32) * reader.get_tensor(_KEY.format("scales", number))

    return weights


def _of_archive(path):
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
        arrays = dict(held)

    def weights(number):
        value, scale = arrays[f"{number}"], arrays.get(f"{number}.scale")
        return value if scale is None else value.astype(np.float32) * scale

    return weights
