"""Images as points of a space: their pixels, for metrics that take no network."""

import numpy as np


def flat(pixels):
    """Images as points: [N, H, W, C] in [0, 255] → float32 [N, H · W · C] in [0, 1]."""
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255.0


def averaged_down(pixels, side):
    """The same of images averaged down by a whole factor, so that neither side is longer than `side`; rows and columns
    that are left over are cut off.

    Args:
      pixels: [N, H, W, C] in [0, 255].
      side: at least 1.

    Returns:
      float32 [N, d] in [0, 1].
    """
    factor = -(-max(pixels.shape[1:3]) // side)
    if factor > 1:
        height, width = (size // factor for size in pixels.shape[1:3])
        pixels = pixels[:, : height * factor, : width * factor].reshape(len(pixels), height, factor, width, factor, -1)
        pixels = pixels.mean(axis=(2, 4), dtype=np.float32)
    return flat(pixels)
