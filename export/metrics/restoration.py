"""How near upscaled images are to the originals: PSNR and SSIM of bytes, and bicubic resizing as the baseline."""

import numpy as np

from zoo.families import FACTOR
from zoo.pixels import to_float, to_uint8
from zoo.resampling import resize

#: Side of the window of SSIM (Wang et al. 2004: 11), where the images are as large.
_WINDOW = 11


def low_resolution(images):
    """Antialiased bicubic versions of images uint8 [N, H, W, C], uint8 [N, H / FACTOR, W / FACTOR, C]."""
    return to_uint8(resize(to_float(images), images.shape[1] // FACTOR, images.shape[2] // FACTOR))


def bicubic(images):
    """Images uint8 [N, h, w, C] as many times as high and wide as those of super-resolution, by bicubic resizing."""
    return to_uint8(resize(to_float(images), images.shape[1] * FACTOR, images.shape[2] * FACTOR))


def psnr(images, originals):
    """Peak signal-to-noise ratio of each image, in dB: 10 log₁₀(255² / MSE), over all pixels and channels.

    Equal images count as if one component were off by one, so that a mean over images is finite.

    Args:
        images, originals: uint8 [N, H, W, C].

    Returns:
        float64 [N].
    """
    squared = np.square(images.astype(np.float64) - originals).reshape(len(images), -1)
    return 10.0 * np.log10(255.0**2 / np.maximum(squared.mean(axis=1), 1.0 / squared.shape[1]))


def ssim(images, originals):
    """Structural similarity of each image: Wang et al. 2004, "Image quality assessment".

    By `tf.image.ssim`: a Gaussian window of σ = 1.5 and 11 pixels, or of the images' shorter side where that is less,
    inside the image; the mean over channels.

    Args:
        images, originals: uint8 [N, H, W, C].

    Returns:
        float64 [N], at most 1.
    """
    import tensorflow as tf

    window = min(_WINDOW, *images.shape[1:3])
    pair = (tf.cast(each, tf.float32) for each in (images, originals))
    return tf.image.ssim(*pair, 255.0, filter_size=window).numpy().astype(np.float64)
