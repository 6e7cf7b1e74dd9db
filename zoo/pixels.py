"""The scale of images: bytes 0 to 255 on disk and in pictures, floats from -1 to 1 in networks.

Both directions are written here and nowhere else, so that training, features, a report, a PNG and a served image agree
to the last bit. TensorFlow is imported for tensors only.
"""

import numpy as np

# A product, in NumPy and in the graph, because TensorFlow's optimiser would turn a division into a product, and the two
# differ in the last bit. The ends are exactly -1 and 1.
_PER_BYTE = np.float32(1 / 127.5)


def to_float(pixels):
    """Bytes in [0, 255] → float32 in [-1, 1]: x / 127.5 - 1.

    Args:
        pixels: uint8 of any shape, a NumPy array or a tensor (in a graph too).

    Returns:
        float32 of the same kind and shape. `to_uint8` gives the same bytes back.
    """
    if isinstance(pixels, np.ndarray):
        return pixels * _PER_BYTE - np.float32(1)
    import tensorflow as tf

    return tf.cast(pixels, tf.float32) * _PER_BYTE - 1.0


def to_uint8(images):
    """Images in [-1, 1] → bytes: round((x + 1) · 127.5), clipped to [0, 255].

    Args:
        images: floats of any shape, a NumPy array or a tensor (in a graph too).

    Returns:
        uint8 of the same kind and shape; ties go to the even level.
    """
    levels = (images + 1.0) * 127.5
    if isinstance(images, np.ndarray):
        return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    import tensorflow as tf

    return tf.cast(tf.clip_by_value(tf.round(levels), 0.0, 255.0), tf.uint8)
