"""Resizing of images that has gradients, any float dtype, and the same pixels everywhere.

Bicubic resizing is by matrices: `tf.image.resize` has it antialiased in float32 alone, and none under XLA.
"""

import functools

import numpy as np


def _keys(x):
    """The cubic convolution kernel of Keys 1981, "Cubic convolution interpolation for digital image processing"
    (equation 15: a = -1/2), float64 of any shape."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@functools.lru_cache(maxsize=64)
def bicubic_matrix(size, resized):
    """The matrix [resized, size] of bicubic resizing in one direction, float64.

    Pixels are squares, whose centres lie at half-integers. Where the size shrinks, the kernel is as much wider
    (antialiasing). At the border the kernel is cut off, and what is left sums to 1.

    Args:
        size: number of pixels.
        resized: number of pixels afterwards.
    """
    scale = size / resized
    centres, pixels = (np.arange(resized) + 0.5) * scale, np.arange(size) + 0.5
    weights = _keys((pixels - centres[:, None]) / max(scale, 1.0))
    matrix = weights / weights.sum(axis=1, keepdims=True)
    matrix.flags.writeable = False  # shared by all callers
    return matrix


def resize(images, height, width):
    """Bicubic resizing, antialiased where images shrink. Values can exceed those of the images: clip them.

    Args:
        images: floats [N, H, W, C], H and W static: a NumPy array or a tensor.
        height, width: of the result.

    Returns:
        The same dtype and kind, [N, height, width, C].
    """
    rows, columns = bicubic_matrix(images.shape[1], height), bicubic_matrix(images.shape[2], width)
    if isinstance(images, np.ndarray):
        return np.einsum("ah,nhwc,bw->nabc", rows, images, columns, optimize=True).astype(images.dtype)
    import tensorflow as tf

    rows, columns = (tf.constant(matrix, images.dtype) for matrix in (rows, columns))
    return tf.einsum("bw,nawc->nabc", columns, tf.einsum("ah,nhwc->nawc", rows, images))


def enlarge(images, factor):
    """Images [N, H, W, C] with each pixel repeated: [N, factor · H, factor · W, C]."""
    import tensorflow as tf

    _, height, width, channels = images.shape
    squares = tf.tile(images[:, :, None, :, None], [1, 1, factor, 1, factor, 1])
    return tf.reshape(squares, [-1, height * factor, width * factor, channels])


def average(images, factor):
    """Means over squares of pixels: [N, H, W, C] → [N, H / factor, W / factor, C]."""
    import tensorflow as tf

    _, height, width, channels = images.shape
    squares = tf.reshape(images, [-1, height // factor, factor, width // factor, factor, channels])
    return tf.reduce_mean(squares, axis=[2, 4])
