"""Inception-v3 with ImageNet weights, in two versions; the package ships neither.

`inception_v3` is that of `keras.applications`. `inception_v3_tfgan` is TF-GAN's module, the network of 2015 behind the
published Inception scores and FIDs. Distances in the features of one do not compare with those of the other.

Both take 299×299 images. Smaller ones are resized as in the papers, bilinear. Larger ones are antialiased too: without
it most of their pixels are passed over, and what is measured is aliasing (Parmar et al. 2022, arXiv 2104.11222).
"""

from __future__ import annotations

import hashlib
import pathlib

import numpy as np

from zoo.errors import RequestError

NAMES = ("inception_v3", "inception_v3_tfgan")
TFGAN_MODULE = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"
KERAS_WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{KERAS_WEIGHTS}"
KERAS_MD5 = "9a0d58056eeedaa3f26cb7ebd46da564"


def load(name, directory):
    """Loads one of `NAMES`.

    Args:
      name: one of `NAMES`.
      directory: a `pathlib.Path` that may hold the weights: the file `KERAS_WEIGHTS`, or TF-GAN's module unpacked in a
        folder `inception_v3_tfgan`. Weights that are not there are downloaded.

    Returns:
      (metadata, forward), the arguments of `feature_extractor.FeatureExtractor`. forward takes float32 [n, H, W, 1 or
      3] in [-1, 1], resizes to 299×299 and returns float32 features [n, 2048] and logits [n, classes].

    Raises:
      RequestError: where the weights cannot be downloaded, are damaged, or belong to another network.
    """
    network, files = (_keras if name == "inception_v3" else _tfgan)(directory)
    forward = _resized(network)
    try:
        features, logits = forward(np.zeros((1, 32, 32, 3), np.float32))
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"features {name!r}: {str(files[0])!r} holds another network: {_line(error)}") from None
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    metadata = {
        "name": name,
        # Version 1 did not antialias images above 299 pixels.
        "version": 2,
        "data_shape": [None, None, None],
        "num_classes": int(logits.shape[-1]),
        "class_names": None,
        "dim": int(features.shape[-1]),
        "data": "ImageNet",
        "preprocessing": "antialiased bilinear resizing to 299 pixels a side; [-1, 1]",
        "checksum": digest.hexdigest(),
        "test_accuracy": None,
    }
    return metadata, forward


def _keras(directory):
    """(network, its weight files)."""
    import keras

    places = [directory / KERAS_WEIGHTS, pathlib.Path.home() / ".keras" / "models" / KERAS_WEIGHTS]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        try:
            path = keras.utils.get_file(KERAS_WEIGHTS, KERAS_URL, file_hash=KERAS_MD5, cache_subdir=str(directory))
        except Exception as error:  # Keras re-raises transport errors as plain Exception.
            raise RequestError(
                f"features 'inception_v3': no weights at {str(places[0])!r} and they cannot be downloaded "
                f"({_line(error)}); put {KERAS_URL} there"
            ) from None
    try:
        model = keras.applications.InceptionV3(weights=str(path), classifier_activation=None)
    except (OSError, ValueError) as error:
        raise RequestError(f"features 'inception_v3': {str(path)!r} holds other weights: {_line(error)}") from None
    return keras.Model(model.input, [model.get_layer("avg_pool").output, model.output]), [pathlib.Path(path)]


def _tfgan(directory):
    """(network, its files)."""
    import tensorflow as tf

    place = directory / "inception_v3_tfgan"
    path = place
    if not (place / "saved_model.pb").is_file():
        try:
            import tensorflow_hub

            path = pathlib.Path(tensorflow_hub.resolve(TFGAN_MODULE))
        except Exception as error:  # The hub passes on transport errors: URLError, OSError, RuntimeError, …
            raise RequestError(
                f"features 'inception_v3_tfgan': no SavedModel at {str(place)!r} and it cannot be downloaded "
                f"({_line(error)}); unpack {TFGAN_MODULE} there"
            ) from None
    try:
        module = tf.saved_model.load(str(path))
    except (OSError, ValueError) as error:
        raise RequestError(f"features 'inception_v3_tfgan': {str(path)!r} is damaged: {_line(error)}") from None

    # Not tfgan.eval.classifier_fn_from_tfhub: it flattens with a Keras 2 layer, which Keras 3 rejects.
    def network(images):
        outputs = module(images)
        return [tf.reshape(outputs[name], (tf.shape(images)[0], -1)) for name in ("pool_3", "logits")]

    return network, sorted(file for file in path.rglob("*") if file.is_file())


def _resized(network):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, None), tf.float32)])
    def forward(images):
        # Both networks take 299×299 colour images in [-1, 1].
        colour = tf.cond(tf.shape(images)[-1] == 1, lambda: tf.repeat(images, 3, axis=-1), lambda: images)
        colour = tf.ensure_shape(colour, (None, None, None, 3))
        resized = tf.image.resize(colour, (299, 299), antialias=True)
        return network(tf.ensure_shape(resized, (None, 299, 299, 3)))

    return forward


def _line(error):
    return " ".join(str(error).split())[:200]
