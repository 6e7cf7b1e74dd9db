"""A generator in other formats than a SavedModel: files beside it, in a version's ``assets.extra/``.

| format | file                 | runs in |
|--------|----------------------|---|
| keras  | ``generator.keras``  | Keras, with this package: ``import zoo.networks``, `keras.saving.load_model` |
| onnx   | ``generator.onnx``   | ONNX Runtime |
| litert | ``generator.tflite`` | LiteRT, with its own operations alone (no TensorFlow "Select" ones) |

Each maps latents float32 [N, z] to examples float32 [N, *data_shape] for any N, as ``serving_default`` does; a
class-conditional generator takes the label from the latents. Every file is loaded in its runtime and compared with the
generator before a version appears. `FORMATS` is the table: a row is all that a format takes.
"""

import importlib.util
import logging
import math
import os
import pathlib
import tempfile
import textwrap
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainers.program import RunFailed
from zoo.errors import RequestError
from zoo.options import one_of

#: What is always written, and may be named among the formats.
DEFAULT = "saved_model"
#: Regular expressions of harmless lines that the runtimes print.
CHATTER = ["^INFO: Created TensorFlow Lite XNNPACK delegate"]
#: Batch sizes at which a file and the generator are compared.
_BATCHES = (1, 3, 64)
#: Largest difference that passes, as a share of the largest output, or of 1 where that is larger. The runtimes sum in
#: other orders: trained and untrained networks of this zoo differ by up to 1e-6, and a grey level is 8e-3.
_TOLERANCE = 1e-5


class Format(NamedTuple):
    """A row of `FORMATS`.

    Attributes:
        file: name of the file.
        write: (sampler, latent_dim, data_shape, path) → None, writes the file.
        read: path → function of latents float32 [N, z] to an array of examples, in the format's runtime.
        packages: that it needs, of the extra `formats`.
        float32_only: whether it lacks generators that compute in another dtype.
    """

    file: str
    write: Callable
    read: Callable
    packages: tuple = ()
    float32_only: bool = True


def check(names, precision=None):
    """Raises RequestError for an unknown format, one whose packages are missing, or one that lacks a precision.

    Args:
        names: of formats.
        precision: dtype that the generator computes in, or None where that is not known yet.
    """
    for name in names:
        one_of(DEFAULT, *FORMATS).check(name, "--formats")
        if name == DEFAULT:
            continue
        row = FORMATS[name]
        missing = [package for package in row.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise RequestError(f"--formats: {name!r} needs {', '.join(missing)}; pip install '.[formats]'")
        if row.float32_only and precision not in (None, "float32"):
            raise RequestError(
                f"--formats: {name!r} computes in float32, and the generator in {precision}; use --precision=float32"
            )


def write(names, sampler, latent_dim, data_shape, folder):
    """Writes a generator in other formats, each checked against the generator on the CPU.

    Args:
        names: of formats, each as `check` lets pass.
        sampler, latent_dim, data_shape: as of `export.signatures.signatures`.
        folder: etils.epath.Path of the folder for the files. What is there after an error is not complete.

    Returns:
        Dict of format → dict of "file", "bytes" and "largest_difference", the entry "formats" of a model card.

    Raises:
        RunFailed: a file cannot be made or loaded, or differs from the generator.
    """
    import tensorflow as tf

    from zoo.noise import Noise

    latents = [Noise.of_seeds(range(count)).latents(latent_dim).numpy() for count in _BATCHES]
    # On the CPU, where the other runtimes compute: a GPU may round products to fewer bits.
    with tf.device("CPU:0"):
        expected = np.concatenate([_examples(sampler, each) for each in latents])
    tolerance = _TOLERANCE * max(1.0, float(np.max(np.abs(expected))))
    written = {}
    for name in dict.fromkeys(names):
        if name == DEFAULT:
            continue
        row = FORMATS[name]
        # Converters write to local disks alone.
        with tempfile.TemporaryDirectory() as local:
            path = pathlib.Path(local) / row.file
            found = _convert(name, row, sampler, latent_dim, data_shape, path, latents)
            difference = float(np.max(np.abs(found - expected))) if found.shape == expected.shape else math.inf
            if not difference <= tolerance:  # nor where it is not a number
                raise RunFailed(
                    f"--formats: {name}: an output differs from the generator's by {difference:.3g}; "
                    f"expected at most {tolerance:.3g}"
                )
            content = path.read_bytes()
        (folder / row.file).write_bytes(content)
        written[name] = {"file": row.file, "bytes": len(content), "largest_difference": difference}
    return written


def _convert(name, row, sampler, latent_dim, data_shape, path, latents):
    """Writes a file and returns what it gives for the batches of latents, one after the other."""
    import tensorflow as tf

    try:
        # tf2onnx tells of constants that it leaves alone, Keras of NumPy's future.
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings(), tf.device("CPU:0"), sampler.converted():
            warnings.simplefilter("ignore")
            row.write(sampler, latent_dim, data_shape, path)
            run = row.read(path)
            return np.concatenate([run(each) for each in latents])
    except (OSError, MemoryError):
        raise
    except Exception as error:  # each runtime has its own
        raise RunFailed(f"--formats: {name}: {textwrap.shorten(str(error), 300) or type(error).__name__}") from error


def _examples(model, latents):
    return np.asarray(model(latents, training=False), np.float32)


def _write_keras(sampler, latent_dim, data_shape, path):
    sampler.save(path)


def _read_keras(path):
    import keras

    model = keras.saving.load_model(path)
    return lambda latents: _examples(model, latents)


def _write_onnx(sampler, latent_dim, data_shape, path):
    import keras
    from tf2onnx import optimizer

    # It moves transpositions past vectors now and then, by the order of a set, and the file does not load. ONNX Runtime
    # has an optimizer of its own.
    optimizer._optimizers.pop("optimize_transpose", None)
    spec = keras.InputSpec(shape=(None, latent_dim), dtype="float32", name="latents")
    sampler.export(os.fspath(path), format="onnx", verbose=False, input_signature=[spec])


def _read_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    (latents_input,) = session.get_inputs()
    return lambda latents: session.run(None, {latents_input.name: latents})[0]


def _write_litert(sampler, latent_dim, data_shape, path):
    import tensorflow as tf

    from export.signatures import signatures

    # Not by Keras: 3.12, the newest for Python 3.10, has no LiteRT, and later ones let TensorFlow's operations in.
    module, name = tf.Module(), "serving_default"
    module.variables_of_generator = [variable.value for variable in sampler.variables]
    function = signatures(sampler, latent_dim, data_shape)[name].get_concrete_function()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={name: function})
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name]).convert())


def _read_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(os.fspath(path)).get_signature_runner("serving_default")
    return lambda latents: next(iter(run(latents=latents).values()))


FORMATS = {
    "keras": Format("generator.keras", _write_keras, _read_keras, float32_only=False),
    "onnx": Format("generator.onnx", _write_onnx, _read_onnx, ("tf2onnx", "onnx", "onnxruntime")),
    "litert": Format("generator.tflite", _write_litert, _read_litert, ("ai_edge_litert",)),
}
