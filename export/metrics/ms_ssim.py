"""MS-SSIM among samples: how alike random pairs are.

Odena et al. 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", section 4.2: the mean multi-scale
structural similarity (Wang et al. 2003) of random pairs of a class. A class whose samples are more alike than its
training images has collapsed. Blurred samples are alike too.
"""

from __future__ import annotations

import numpy as np

#: Exponents of the scales, from the finest on (Wang et al. 2003, section 3.2).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Side of the Gaussian window, with σ = 1.5.
_WINDOW = 11
_BATCH = 250


def scales(shape) -> tuple:
    """The exponents of the scales that images of a shape (height, width, …) have room for.

    Each scale halves the image; the window of 11 pixels has to fit into the coarsest. That leaves 1 scale below 22
    pixels, 2 below 44 (28 and 32), 3 below 88 (64), 4 below 176, and all 5 from there on. The exponents are the first
    ones of the paper's, in proportion, so that they sum to 1.
    """
    side = min(shape[:2])
    count = 1
    while count < len(_WEIGHTS) and side // 2**count >= _WINDOW:
        count += 1
    return tuple(np.divide(_WEIGHTS[:count], sum(_WEIGHTS[:count])))


def ms_ssim(images, others) -> np.ndarray:
    """Multi-scale structural similarity of each pair of images, the mean over channels.

    By `tf.image.ssim_multiscale`, at the `scales` of the images' size, with a window of 11 pixels, or of the image's
    shorter side where that is less. Negative similarities of a scale count as 0.

    Args:
      images, others: uint8 [n, H, W, C].

    Returns:
      float64 [n], in [0, 1].
    """
    import tensorflow as tf

    weights, window, parts = scales(images.shape[1:]), min(_WINDOW, *images.shape[1:3]), []
    for start in range(0, len(images), _BATCH):
        pair = [tf.cast(each[start : start + _BATCH], tf.float32) for each in (images, others)]
        parts.append(tf.image.ssim_multiscale(*pair, 255.0, power_factors=weights, filter_size=window).numpy())
    return np.concatenate(parts).astype(np.float64)


def random_pairs(count, labels=None, limit=1000, seed=0) -> np.ndarray:
    """Random pairs, of one class each, in which no image occurs twice, so that the pairs are independent.

    Args:
      count: number of images.
      labels: int [count], or None where there are none.
      limit: most pairs.
      seed: of the draw.

    Returns:
      int64 [≤ limit, 2], indices; empty where no class has two images.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(count)
    labels = np.zeros(count, np.int64) if labels is None else np.asarray(labels)
    pairs = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        pairs.append(members[: len(members) // 2 * 2].reshape(-1, 2))
    pairs = np.concatenate(pairs)
    return pairs[rng.permutation(len(pairs))[:limit]]
