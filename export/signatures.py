"""The functions that a SavedModel of a generator answers, its signatures:

=================== ============================ ============================================================
signature           input                        output
=================== ============================ ============================================================
``serving_default`` latents float32 [N, z]       images float32 [N, H, W, C] in [-1, 1]; points float32 [N, d]
``sample``          seeds int64 [N]              images uint8 [N, H, W, C]; points float32 [N, d]
``png``             seeds int64 [N]              png_bytes string [N], one encoded PNG each (images only)
``latents``         seeds int64 [N]              latents float32 [N, z], those that ``sample`` gives the generator
=================== ============================ ============================================================

Inputs and outputs are called by the first word of their cell. (``png_bytes`` ends in ``_bytes`` because TensorFlow
Serving's REST interface then sends it as base64.) Under ``sample`` and ``png`` a seed gives the same image in any
batch, on the same device and number of threads.
"""

import math

from zoo.pixels import to_uint8


def _piece_size(data_shape):
    """How many seeds pass through the network together, always.

    A seed's image must not depend on its batch, but convolution kernels cut their work by the batch's size and the
    number of threads, add in another order, and now and then a pixel rounds to its neighbour level. Within one size a
    row's place does not matter. The last piece is padded. Each piece costs a fixed time beside that for its images, so
    large pieces are cheap for large batches and small ones for single images (benchmarks/sample_signature.py).
    """
    if len(data_shape) == 1:
        return 256
    return 32 if math.prod(data_shape[:2]) <= 32 * 32 else 16


def signatures(sampler, latent_dim, data_shape):
    """The functions that a SavedModel of a generator answers.

    Args:
        sampler: Keras model, latents float32 [N, latent_dim] → examples [N, *data_shape].
        latent_dim: number of latents z.
        data_shape: (H, W, C) of images in [-1, 1], or (d,) of points.

    Returns:
        Dict of tf.functions with any batch size, as in this module's table; without "png" for points.
    """
    import tensorflow as tf

    from zoo.noise import Noise

    data_shape = tuple(data_shape)
    images = len(data_shape) == 3
    output = "images" if images else "points"
    seeds_spec = tf.TensorSpec([None], tf.int64, name="seeds")

    def generate(latents):
        return tf.ensure_shape(tf.cast(sampler(latents, training=False), tf.float32), [None, *data_shape])

    def latents_of(seeds):
        return Noise.of_seeds(seeds).latents(latent_dim)

    def draw(seeds):
        count, size = tf.shape(seeds)[0], _piece_size(data_shape)
        pieces = tf.reshape(tf.pad(latents_of(seeds), [[0, -count % size], [0, 0]]), [-1, size, latent_dim])
        examples = tf.map_fn(generate, pieces, fn_output_signature=tf.TensorSpec([size, *data_shape], tf.float32))
        examples = tf.reshape(examples, [-1, *data_shape])[:count]
        return to_uint8(examples) if images else examples

    @tf.function(input_signature=[tf.TensorSpec([None, latent_dim], tf.float32, name="latents")], autograph=False)
    def serving_default(latents):
        return {output: generate(latents)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def sample(seeds):
        return {output: draw(seeds)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def png(seeds):
        return {"png_bytes": tf.map_fn(tf.io.encode_png, draw(seeds), fn_output_signature=tf.string)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def latents(seeds):
        return {"latents": latents_of(seeds)}

    functions = {"serving_default": serving_default, "sample": sample, "latents": latents}
    return {**functions, "png": png} if images else functions
