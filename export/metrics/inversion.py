"""Imputation and denoising through a generator's range: images that it can make, fitted to what is seen of others.

Surrogate tasks of Manisha & Gujar's survey (2018), by Bora et al. 2017, "Compressed Sensing using Generative Models",
and Yeh et al. 2017, "Semantic Image Inpainting with Deep Generative Models". Of an image x, seen where the mask m is 1
and with noise of standard deviation σ, the latents z with the highest posterior density under a standard normal prior,

    min over z of Σ m (G(z) - x)² / 2σ² + ‖z‖² / 2,

are sought by Adam from several starts. G(z) is the restored image: good where the range of G is near the data.
"""

from __future__ import annotations

import numpy as np

#: Steps of Adam and its first learning rate, which falls to zero by half a cosine.
STEPS, _RATE = 120, 0.1
#: Random starts for each image.
STARTS = 2


def restore(generate, latent_dim, observed, mask, deviation, steps=STEPS, starts=STARTS, seed=0) -> np.ndarray:
    """The generator's images that fit what is seen.

    Args:
      generate: differentiable TensorFlow function, latents float32 [k, z] → images float32 [k, H, W, C] in [-1, 1].
      latent_dim: number of latents z.
      observed: float32 [n, H, W, C] in [-1, 1] but for noise; values where `mask` is 0 do not matter.
      mask: [H, W, C] or [n, H, W, C] of 0 and 1.
      deviation: σ, in the images' unit: of the noise, or of what the generator is allowed to miss by.
      steps: steps of Adam.
      starts: random starts for each image, of which the one of the least loss counts.
      seed: of the starts.

    Returns:
      float32 [n, H, W, C], the restored images.
    """
    import tensorflow as tf

    count = len(observed)
    rng = np.random.default_rng(seed)
    latents = tf.Variable(rng.normal(size=(starts * count, latent_dim)).astype(np.float32))
    target = tf.constant(np.tile(observed, (starts, 1, 1, 1)), tf.float32)
    mask = np.broadcast_to(mask, observed.shape)
    weight = tf.constant(np.tile(mask, (starts, 1, 1, 1)) / (2.0 * deviation**2), tf.float32)
    first, second = tf.Variable(tf.zeros_like(latents)), tf.Variable(tf.zeros_like(latents))

    def losses():
        images = tf.cast(generate(latents), tf.float32)
        misfit = tf.reduce_sum(weight * tf.square(images - target), axis=(1, 2, 3))
        return misfit + 0.5 * tf.reduce_sum(tf.square(latents), axis=1), images

    @tf.function(reduce_retracing=True)
    def step(number, rate):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(latents)
            loss = tf.reduce_sum(losses()[0])
        gradient = tape.gradient(loss, latents)
        # Adam (Kingma & Ba 2015). Each image has latents of its own, so one image's fit does not depend on the others.
        first.assign(0.9 * first + 0.1 * gradient)
        second.assign(0.999 * second + 0.001 * tf.square(gradient))
        size = rate * tf.sqrt(1.0 - 0.999**number) / (1.0 - 0.9**number)
        latents.assign_sub(size * first / (tf.sqrt(second) + 1e-8))

    for index in range(steps):
        rate = _RATE * 0.5 * (1.0 + np.cos(np.pi * index / steps))
        step(tf.constant(index + 1.0), tf.constant(rate, tf.float32))
    loss, images = (part.numpy() for part in losses())
    best = loss.reshape(starts, count).argmin(axis=0)
    return images.reshape(starts, count, *observed.shape[1:])[best, np.arange(count)]


def hidden_centre(shape) -> np.ndarray:
    """Mask [H, W, C] that is 0 in the middle quarter of an image of this shape, half its height and width, else 1."""
    height, width, _ = shape
    mask = np.ones(shape, np.float32)
    mask[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0.0
    return mask


def psnr_where(images, originals, mask) -> np.ndarray:
    """Peak signal-to-noise ratio of each image in dB where a mask is 1, for images in [-1, 1]: 10 log₁₀(4 / MSE).

    Args:
      images, originals: [n, H, W, C].
      mask: [H, W, C] of 0 and 1.

    Returns:
      float64 [n]; errors below half a byte's step count as such, so that it is finite.
    """
    squared = (np.asarray(images, np.float64) - originals) ** 2 * mask
    error = squared.sum(axis=(1, 2, 3)) / np.sum(mask)
    return 10.0 * np.log10(4.0 / np.maximum(error, (1.0 / 255.0) ** 2))
