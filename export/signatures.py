"""Signatures of a generator's SavedModel:

| signature           | input                  | output |
|---------------------|------------------------|---|
| ``serving_default`` | latents float32 [N, z] | images float32 [N, H, W, C] in [-1, 1]; points float32 [N, d] |
| ``sample``          | seeds int64 [N]        | images uint8 [N, H, W, C]; points float32 [N, d] |
| ``png``             | seeds int64 [N]        | png_bytes string [N], one encoded PNG each (images only) |
| ``latents``         | seeds int64 [N]        | latents float32 [N, z] of these seeds, as ``sample`` uses them |

A class-conditional generator derives the label from the seed or the latents in these, and has further signatures:

| signature                | inputs                             | output |
|--------------------------|------------------------------------|---|
| ``labels``               | seeds int64 [N]                    | labels int64 [N], as ``sample`` draws them |
| ``generate_with_labels`` | latents float32 [N, z], labels [N] | as for ``serving_default`` |
| ``sample_with_labels``   | seeds int64 [N], labels int64 [N]  | as for ``sample`` |
| ``png_with_labels``      | seeds int64 [N], labels int64 [N]  | as for ``png`` |

A generator with latent codes (`zoo.CodedGenerator`) has, beside the first table's:

| signature             | inputs                         | output |
|-----------------------|--------------------------------|---|
| ``codes``             | seeds int64 [N]                | categorical, continuous, as ``sample`` draws them |
| ``sample_with_codes`` | seeds, categorical, continuous | as for ``sample`` |

They are int64 [N, k] and float32 [N, c] for k categorical and c continuous codes: values in [0, their number), and in
(-1, 1); others are an error.

A generator of captions chooses one of those that it holds by the seed or the latents in these, and has further
signatures:

| signature                  | inputs                                 | output |
|----------------------------|----------------------------------------|---|
| ``captions``               | seeds int64 [N]                        | captions string [N], for ``sample`` |
| ``generate_with_captions`` | latents float32 [N, z], captions [N]   | as for ``serving_default`` |
| ``sample_with_captions``   | seeds int64 [N], captions string [N]   | as for ``sample`` |
| ``png_with_captions``      | seeds int64 [N], captions string [N]   | as for ``png`` |

Of a caption the words that the generator knows count, in any case and with any punctuation; one without such a word
is an error.

A super-resolution generator derives the low-resolution image from the seed or the latents in these, and has further
signatures, whose images may have any height h and width w:

| signature                        | input                             | output |
|----------------------------------|-----------------------------------|---|
| ``low_resolution``               | seeds int64 [N]                   | low_resolution uint8, for ``sample`` |
| ``upscale``                      | low_resolution uint8 [N, h, w, C] | images uint8 [N, 4h, 4w, C] |
| ``generate_with_low_resolution`` | the same, float32 in [-1, 1]      | images float32 [N, 4h, 4w, C] in [-1, 1] |

Labels are int64 in [0, number of classes), images of MOST_PIXELS at most; others are an error. The aliases of inputs
and outputs are their names here. (``png_bytes`` ends in ``_bytes`` so that TensorFlow Serving's REST API sends it as
base64.) In ``sample`` and ``png``, with and without labels or captions, a seed gives the same image in any batch, on
the same device and number of threads.
"""

import math

from zoo.batch import takes_captions, takes_labels, takes_low_resolution
from zoo.captions import UNKNOWN
from zoo.pixels import to_float, to_uint8

#: Most pixels of an image that is upscaled. Its maps take up to 16 KB of memory each.
MOST_PIXELS = 2**18


def _piece_size(data_shape):
    """The fixed number of seeds in each forward pass.

    A seed's image must not depend on its batch. Convolution kernels split their work by batch size and number of
    threads, which changes the order of summation and now and then a pixel by one level. At a fixed batch size the
    position of a row does not matter. The last piece is padded. Each piece has a fixed cost besides that of its images,
    so large pieces suit large batches, small pieces single images (benchmarks/sample_signature.py).
    """
    if len(data_shape) == 1:
        return 256
    return 32 if math.prod(data_shape[:2]) <= 32 * 32 else 16


def signatures(sampler, latent_dim, data_shape):
    """The signatures of a generator's SavedModel.

    Args:
        sampler: Keras model, latents float32 [N, latent_dim] → examples [N, *data_shape]. If its `conditions` contain
            "label", it also takes that keyword, and has `labels` and `num_classes` like `zoo.ConditionalGenerator`; if
            "caption", that, and it has `captions` and `tokenizer` like `zoo.StackedGenerator`, whose layer the module
            that is saved must hold; if "low_resolution", it has `low_resolution` and `upscale` like
            `zoo.SRGANGenerator`.
        latent_dim: number of latents z.
        data_shape: (H, W, C) of images in [-1, 1], or (d,) of points.

    Returns:
        Dict of signature name → tf.function with any batch size, as in this module's tables; for points without "png"
        and "png_with_labels".
    """
    import tensorflow as tf

    from zoo.noise import Noise

    data_shape = tuple(data_shape)
    images = len(data_shape) == 3
    output = "images" if images else "points"
    latents_spec = tf.TensorSpec([None, latent_dim], tf.float32, name="latents")
    seeds_spec, labels_spec = (tf.TensorSpec([None], tf.int64, name=name) for name in ("seeds", "labels"))

    def generate(latents, **conditions):
        examples = sampler(latents, training=False, **conditions)
        return tf.ensure_shape(tf.cast(examples, tf.float32), [None, *data_shape])

    def latents_of(seeds):
        return Noise.of_seeds(seeds).latents(latent_dim)

    def draw(seeds, latents=None, **conditions):
        count, size = tf.shape(seeds)[0], _piece_size(data_shape)
        inputs = {"latents": latents_of(seeds) if latents is None else latents, **conditions}
        pieces = {name: _in_pieces(values, size) for name, values in inputs.items()}
        spec = tf.TensorSpec([size, *data_shape], tf.float32)
        examples = tf.map_fn(lambda piece: generate(**piece), pieces, fn_output_signature=spec)
        examples = tf.reshape(examples, [-1, *data_shape])[:count]
        return to_uint8(examples) if images else examples

    def encode(examples):
        return tf.map_fn(tf.io.encode_png, examples, fn_output_signature=tf.string)

    def check_rows(name, values, beside):
        rows = [tf.shape(each)[0] for each in (beside, values)]
        tf.debugging.Assert(tf.equal(*rows), [f"{name}: expected", rows[0], "found", rows[1]])

    def told(labels, beside):
        """The condition for `labels`: one for each row of `beside`, each a class. An unknown class has no embedding."""
        check_rows("labels", labels, beside)
        most = sampler.num_classes - 1
        bad = tf.boolean_mask(labels, (labels < 0) | (labels > most))
        tf.debugging.Assert(tf.equal(tf.size(bad), 0), [f"labels: expected 0 to {most}, found", bad])
        return {"label": labels}

    def read(captions, beside):
        """The condition for `captions`: one for each row of `beside`, each with a word that is known."""
        check_rows("captions", captions, beside)
        tokens = sampler.tokenizer(captions)
        bad = tf.boolean_mask(captions, tf.reduce_all(tokens <= UNKNOWN, axis=1))
        tf.debugging.Assert(tf.equal(tf.size(bad), 0), ["captions: none of the words is known in", bad])
        return {"caption": tokens}

    made = {
        "serving_default": (lambda latents: {output: generate(latents)}, [latents_spec]),
        "sample": (lambda seeds: {output: draw(seeds)}, [seeds_spec]),
        "latents": (lambda seeds: {"latents": latents_of(seeds)}, [seeds_spec]),
        "png": (lambda seeds: {"png_bytes": encode(draw(seeds))}, [seeds_spec]),
    }
    if takes_labels(sampler):
        made |= {
            "labels": (lambda seeds: {"labels": sampler.labels(latents_of(seeds))}, [seeds_spec]),
            "generate_with_labels": (
                lambda latents, labels: {output: generate(latents, **told(labels, latents))},
                [latents_spec, labels_spec],
            ),
            "sample_with_labels": (
                lambda seeds, labels: {output: draw(seeds, **told(labels, seeds))},
                [seeds_spec, labels_spec],
            ),
            "png_with_labels": (
                lambda seeds, labels: {"png_bytes": encode(draw(seeds, **told(labels, seeds)))},
                [seeds_spec, labels_spec],
            ),
        }
    if takes_captions(sampler):
        captions_spec = tf.TensorSpec([None], tf.string, name="captions")

        made |= {
            "captions": (
                lambda seeds: {"captions": sampler.tokenizer.texts(sampler.captions(latents_of(seeds)))},
                [seeds_spec],
            ),
            "generate_with_captions": (
                lambda latents, captions: {output: generate(latents, **read(captions, latents))},
                [latents_spec, captions_spec],
            ),
            "sample_with_captions": (
                lambda seeds, captions: {output: draw(seeds, **read(captions, seeds))},
                [seeds_spec, captions_spec],
            ),
            "png_with_captions": (
                lambda seeds, captions: {"png_bytes": encode(draw(seeds, **read(captions, seeds)))},
                [seeds_spec, captions_spec],
            ),
        }
    if hasattr(sampler, "latents_with"):
        made |= _with_codes(sampler, latents_of, draw, output, seeds_spec)
    if takes_low_resolution(sampler):
        made |= _with_low_resolution(sampler, data_shape, latents_of, output, seeds_spec)
    return {
        name: tf.function(function, input_signature=specs, autograph=False)
        for name, (function, specs) in made.items()
        if images or not name.startswith("png")
    }


def _with_codes(sampler, latents_of, draw, output, seeds_spec):
    """The signatures of a generator with codes: {name: (function, specs of its inputs)}."""
    import tensorflow as tf

    sizes = sampler.categories
    categorical_spec = tf.TensorSpec([None, len(sizes)], tf.int64, name="categorical")
    continuous_spec = tf.TensorSpec([None, sampler.continuous], tf.float32, name="continuous")

    def codes(seeds):
        chosen, values = sampler.codes(latents_of(seeds))
        return {"categorical": tf.cast(chosen, tf.int64), "continuous": tf.cast(values, tf.float32)}

    def sample_with_codes(seeds, categorical, continuous):
        count, latents = tf.shape(seeds)[0], latents_of(seeds)
        for name, given in (("categorical", categorical), ("continuous", continuous)):
            rows = tf.shape(given)[0]
            tf.debugging.Assert(tf.equal(rows, count), [f"{name}: expected", count, "found", rows])
        for code, size in enumerate(sizes):
            bad = tf.boolean_mask(categorical[:, code], (categorical[:, code] < 0) | (categorical[:, code] >= size))
            tf.debugging.Assert(tf.equal(tf.size(bad), 0), [f"categorical: expected 0 to {size - 1}, found", bad])
            latents = sampler.latents_with(latents, code, categorical[:, code])
        bad = tf.boolean_mask(continuous, ~(tf.abs(continuous) < 1.0))
        tf.debugging.Assert(tf.equal(tf.size(bad), 0), ["continuous: expected numbers in (-1, 1), found", bad])
        for code in range(sampler.continuous):
            latents = sampler.latents_with(latents, len(sizes) + code, continuous[:, code])
        return {output: draw(seeds, latents)}

    return {
        "codes": (codes, [seeds_spec]),
        "sample_with_codes": (sample_with_codes, [seeds_spec, categorical_spec, continuous_spec]),
    }


def _with_low_resolution(sampler, data_shape, latents_of, output, seeds_spec):
    """The signatures of a super-resolution generator: {name: (function, specs of its inputs)}."""
    import tensorflow as tf

    # One image at a time: its pixels do not depend on its batch, and only its maps take memory.
    def upscaled(images, become=lambda floats: floats):
        count, height, width = (tf.shape(images)[axis] for axis in range(3))
        fits = tf.cast(height, tf.int64) * tf.cast(width, tf.int64) <= MOST_PIXELS
        tf.debugging.Assert(fits, [f"low_resolution: expected {MOST_PIXELS} pixels at most, found", height, width])
        # One at least, since no images have no size.
        padded = tf.pad(images, [[0, tf.maximum(1 - count, 0)], [0, 0], [0, 0], [0, 0]])
        spec = tf.TensorSpec([None, None, data_shape[2]], become(tf.zeros([])).dtype)
        larger = tf.map_fn(
            lambda image: become(tf.cast(sampler.upscale(image[None])[0], tf.float32)),
            padded,
            fn_output_signature=spec,
            parallel_iterations=1,
        )
        return larger[:count]

    pixels, floats = (
        tf.TensorSpec([None, None, None, data_shape[2]], dtype, name="low_resolution")
        for dtype in (tf.uint8, tf.float32)
    )
    return {
        "low_resolution": (
            lambda seeds: {"low_resolution": to_uint8(sampler.low_resolution(latents_of(seeds)))},
            [seeds_spec],
        ),
        "upscale": (
            lambda low_resolution: {output: upscaled(to_float(low_resolution), to_uint8)},
            [pixels],
        ),
        "generate_with_low_resolution": (lambda low_resolution: {output: upscaled(low_resolution)}, [floats]),
    }


def _in_pieces(values, size):
    """[N, ...] → [pieces, size, ...], the last piece padded with zeros."""
    import tensorflow as tf

    padding = [[0, -tf.shape(values)[0] % size]] + [[0, 0]] * (values.shape.rank - 1)
    return tf.reshape(tf.pad(values, padding), [-1, size, *values.shape[1:]])
