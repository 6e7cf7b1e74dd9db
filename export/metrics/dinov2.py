"""DINOv2's vision transformers, where their released weights are given; the package ships none.

Oquab et al. 2023 (arXiv 2304.07193), whose features Stein et al. 2023 (arXiv 2306.04675) found to agree with people's
judgement of generated images better than Inception-v3's. The features are the class token behind the last layer norm.
Images are resized to 224 pixels a side, by antialiased bicubic interpolation, and normalised by ImageNet's mean and
standard deviation. The files are PyTorch state dicts and are read without PyTorch.
"""

from __future__ import annotations

import hashlib

import numpy as np

from export.metrics import torch_state_dict
from zoo.errors import RequestError

#: Name → (width, blocks). A head has 64 channels, a patch 14×14 pixels.
MODELS = {"dinov2_vits14": (384, 12), "dinov2_vitb14": (768, 12), "dinov2_vitl14": (1024, 24)}
NAMES = tuple(MODELS)
URL = "https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"

_HEAD, _PATCH, _SIDE = 64, 14, 224
_EPSILON = 1e-6
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Images in a forward pass, so that attention takes little memory.
_STEP = 32
# The released code scales positions by (n + 0.1) / m, not n / m, and the coefficient of PyTorch's bicubic kernel.
_OFFSET, _CUBIC = 0.1, -0.75


def load(name, directory):
    """Loads one of `NAMES`.

    Args:
      name: one of `NAMES`.
      directory: a `pathlib.Path` that holds the released file NAME_pretrain.pth.

    Returns:
      (metadata, forward), arguments of `feature_extractor.FeatureExtractor`: forward takes float32 [n, H, W, 1 or 3] in
      [-1, 1] and returns float32 features [n, 384], [n, 768] or [n, 1024].

    Raises:
      RequestError: where the file is not there, is damaged, or holds another network.
    """
    path = directory / f"{name}_pretrain.pth"
    if not path.is_file():
        raise RequestError(f"features {name!r}: no weights at {str(path)!r}; put {URL.format(name=name)} there")
    width, depth = MODELS[name]
    try:
        network = build(torch_state_dict.read(path), width, depth)
    except (KeyError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise RequestError(f"features {name!r}: {str(path)!r} holds another network: {why}") from None
    metadata = {
        "name": name,
        "version": 1,
        "data_shape": [None, None, None],
        "num_classes": 0,
        "class_names": None,
        "dim": width,
        "data": "LVD-142M",
        "preprocessing": f"antialiased bicubic resizing to {_SIDE} pixels a side; ImageNet's mean and deviation",
        "checksum": hashlib.sha256(path.read_bytes()).hexdigest(),
        "test_accuracy": None,
    }
    return metadata, _resized(network)


def no_classes(features):
    """Logits of no class: float32 [n, 0]."""
    return np.zeros((len(features), 0), np.float32)


def build(state, width, depth, side=_SIDE):
    """The network of a state dict.

    Args:
      state: {name: array}, as `torch_state_dict.read` gives it.
      width: channels of a token.
      depth: number of blocks.
      side: of the images, in pixels, a multiple of 14.

    Returns:
      keras.Model, normalised images float32 [n, side, side, 3] → float32 [n, width].

    Raises:
      KeyError, ValueError: where weights are missing or have another shape.
    """
    import keras

    def weight(name):
        return np.asarray(state[name], np.float32)

    def given(layer, inputs, *weights):
        outputs = layer(inputs)
        layer.set_weights(weights)
        return outputs

    def normalized(name, tokens):
        layer = keras.layers.LayerNormalization(epsilon=_EPSILON)
        return given(layer, tokens, weight(f"{name}.weight"), weight(f"{name}.bias"))

    def attention(name, tokens, scale):
        heads = width // _HEAD
        layer = keras.layers.MultiHeadAttention(heads, _HEAD)
        # Rows of query, key and value one after another, of each the heads one after another.
        kernels = weight(f"{name}.qkv.weight").reshape(3, heads, _HEAD, width).transpose(0, 3, 1, 2)
        biases = weight(f"{name}.qkv.bias").reshape(3, heads, _HEAD)
        # The layer scale of a block multiplies its output: as well its last weights.
        kernel = (weight(f"{name}.proj.weight") * scale[:, None]).T.reshape(heads, _HEAD, width)
        outputs = layer(tokens, tokens)
        pairs = [part for pair in zip(kernels, biases) for part in pair]
        layer.set_weights([*pairs, kernel, weight(f"{name}.proj.bias") * scale])
        return outputs

    def mlp(name, tokens, scale):
        kernel = weight(f"{name}.fc1.weight").T
        inner = keras.layers.Dense(kernel.shape[1], activation=lambda x: keras.activations.gelu(x, approximate=False))
        hidden = given(inner, tokens, kernel, weight(f"{name}.fc1.bias"))
        kernel = weight(f"{name}.fc2.weight").T * scale
        return given(keras.layers.Dense(width), hidden, kernel, weight(f"{name}.fc2.bias") * scale)

    grid = side // _PATCH
    images = keras.Input((side, side, 3))
    embedding = keras.layers.Conv2D(width, _PATCH, _PATCH)
    kernel = weight("patch_embed.proj.weight").transpose(2, 3, 1, 0)
    patches = given(embedding, images, kernel, weight("patch_embed.proj.bias"))
    patches = keras.layers.Reshape((grid * grid, width))(patches)
    of_class, of_patches = positions(state["pos_embed"], grid)
    tokens = patches + of_patches.astype(np.float32)[None]
    first = np.float32(state["cls_token"]).reshape(1, 1, width) + of_class.astype(np.float32)
    first = keras.ops.zeros_like(tokens[:, :1]) + first  # one for each image
    tokens = keras.layers.Concatenate(axis=1)([first, tokens])
    for block in range(depth):
        name = f"blocks.{block}"
        tokens = tokens + attention(f"{name}.attn", normalized(f"{name}.norm1", tokens), weight(f"{name}.ls1.gamma"))
        tokens = tokens + mlp(f"{name}.mlp", normalized(f"{name}.norm2", tokens), weight(f"{name}.ls2.gamma"))
    return keras.Model(images, normalized("norm", tokens[:, 0]))


def positions(embedding, grid):
    """Position embeddings for another grid of patches, as the released code interpolates them.

    Args:
      embedding: [1, 1 + m², width], of the class token and of m×m patches.
      grid: n, patches a side.

    Returns:
      (of the class token [width], of the patches [n², width]), float64.
    """
    of_class, of_patches = np.float64(embedding[0, 0]), np.float64(embedding[0, 1:])
    trained = round(len(of_patches) ** 0.5)
    if trained != grid:
        matrix = _bicubic(trained, grid, (grid + _OFFSET) / trained)
        of_patches = of_patches.reshape(trained, trained, -1)
        of_patches = np.einsum("im,jn,mnd->ijd", matrix, matrix, of_patches, optimize=True).reshape(grid * grid, -1)
    return of_class, of_patches


def _bicubic(count, wanted, scale):
    """Matrix [wanted, count] of PyTorch's bicubic interpolation: not antialiased, the border repeated."""
    matrix = np.zeros((wanted, count))
    for row in range(wanted):
        place = (row + 0.5) / scale - 0.5
        left = int(np.floor(place))
        for tap in range(left - 1, left + 3):
            distance = abs(place - tap)
            if distance <= 1:
                value = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
            else:
                value = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
            matrix[row, min(max(tap, 0), count - 1)] += value
    return matrix


def _resized(network):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, None), tf.float32)])
    def of_few(images):
        resized = tf.image.resize(images, (_SIDE, _SIDE), "bicubic", antialias=True)
        colour = tf.cond(tf.shape(resized)[-1] == 1, lambda: tf.repeat(resized, 3, axis=-1), lambda: resized)
        colour = tf.ensure_shape(colour, (None, _SIDE, _SIDE, 3))
        return network((0.5 * colour + 0.5 - _MEAN) / _STD)

    def forward(images):
        return np.concatenate([of_few(images[start : start + _STEP]) for start in range(0, len(images), _STEP)])

    return forward
