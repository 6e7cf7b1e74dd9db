"""Decodes image files to uint8 of the requested size and number of channels, in TensorFlow operations.

`as_png` converts files that these cannot read exactly to PNG beforehand. No Python runs in the pipeline: one that calls
it (`tf.numpy_function`, `from_generator`) occasionally deadlocks when its iterator is deleted, because the deletion
holds the GIL and waits for a call that waits for the GIL.
"""

import io

from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def as_png(encoded):
    """Converts the first image of a GIF, WebP or BMP file to PNG, by Pillow.

    Args:
        encoded: The file's bytes.

    Returns:
        The PNG file's bytes; or None where `decode` reads the same pixels from the file itself.

    Raises:
        Exception: Of any type; the file is damaged, or of no such kind.
    """
    with Image.open(io.BytesIO(encoded), formats=("BMP", "GIF", "WEBP")) as image:
        image.load()
        if _exact(image, encoded):
            return None
        png = io.BytesIO()
        image.convert("RGBA").save(png, "PNG", compress_level=1)
        return png.getvalue()


def _exact(image, encoded):
    """Whether TensorFlow decodes a file to the same pixels as Pillow.

    It reads BMP files only of 24 and 32 bits, without palette or compression; no transparency in GIF files; and no WebP
    files with transparency or several frames.
    """
    if image.format == "BMP":
        header, bits, compression = (
            int.from_bytes(encoded[start:end], "little") for start, end in ((14, 18), (28, 30), (30, 34))
        )
        return header >= 40 and bits in (24, 32) and compression == 0
    return image.format == "WEBP" and image.mode == "RGB" and not image.is_animated


def decode(encoded, size, channels, orientation=None):
    """Decodes one file's bytes.

    Reads grey, RGB, palette, CMYK and 16-bit images; composites transparent PNGs on white. A JPEG whose shorter side is
    at least 4 · `size` is decoded at 1/2, 1/4 or 1/8 of its scale, to no less than 2 · `size`.

    Args:
        encoded: String scalar, the bytes of a JPEG or PNG file; of a BMP file of 24 or 32 bits without compression; or
            of a WebP file of one opaque image. `as_png` makes PNG files of the others.
        size: Side in pixels of the square to crop and resize to, or None to leave the image's own size.
        channels: 1 or 3.
        orientation: Integer scalar, EXIF's 1 to 8, by which the image is turned upright; needs `size`. None: as it is.

    Returns:
        uint8 ``[height, width, channels]``.

    Raises:
        tf.errors.InvalidArgumentError: When run, if the bytes are no such file or are truncated. Other damage may go
            unnoticed: libjpeg fills in what it cannot decode.
    """
    import tensorflow as tf

    # Not `decode_image`: it drops transparency, refuses 4-channel BMPs, and has no way to shrink a JPEG as it decodes.
    def jpeg(ratio):
        # Pillow's DCT method. TensorFlow's default is no faster, and off by up to 17 levels.
        def as_is(channels=channels):
            return tf.io.decode_jpeg(encoded, channels=channels, ratio=ratio, dct_method="INTEGER_ACCURATE")

        if channels == 3:
            return as_is
        # libjpeg does not convert CMYK to grey.
        cmyk = tf.equal(tf.image.extract_jpeg_shape(encoded)[2], 4)
        return lambda: tf.cond(cmyk, lambda: tf.image.rgb_to_grayscale(as_is(3)), as_is)

    def png():
        # With four channels asked for, opaque images of 1, 2 and 4 bits get an alpha of 1, 3 and 15 instead of 255.
        few_bits = tf.io.decode_raw(tf.strings.substr(encoded, 24, 1), tf.uint8)[0] < 8
        transparent = tf.cond(
            few_bits, lambda: tf.strings.regex_full_match(encoded, r"(?s)\C*tRNS\C*"), lambda: tf.constant(True)
        )
        return colours(tf.cond(transparent, on_white, lambda: tf.io.decode_png(encoded, channels=3)))

    def on_white():
        rgba = tf.cast(tf.io.decode_png(encoded, channels=4), tf.float32)
        alpha = rgba[..., 3:] / 255
        return tf.cast(tf.round(rgba[..., :3] * alpha + 255 * (1 - alpha)), tf.uint8)

    def bmp():
        return colours(tf.io.decode_bmp(encoded)[..., :3])  # programs disagree about a fourth channel

    def other():
        return colours(tf.io.decode_image(encoded, channels=3, expand_animations=False))

    def colours(image):
        image = tf.ensure_shape(image, [None, None, 3])
        return image if channels == 3 else tf.image.rgb_to_grayscale(image)

    def shrinking():
        if size is None:
            return tf.constant(0)
        spare = tf.reduce_min(tf.image.extract_jpeg_shape(encoded)[:2]) // (2 * size)
        return tf.cast(spare >= 2, tf.int32) + tf.cast(spare >= 4, tf.int32) + tf.cast(spare >= 8, tf.int32)

    start = tf.strings.substr(encoded, 0, 3)
    is_bmp = tf.strings.substr(encoded, 0, 2) == b"BM"
    kind = tf.case(
        [
            (start == b"\xff\xd8\xff", shrinking),
            (start == b"\x89PN", lambda: tf.constant(4)),
            (is_bmp, lambda: tf.constant(5)),
        ],
        lambda: tf.constant(6),
    )
    image = tf.switch_case(kind, [jpeg(1), jpeg(2), jpeg(4), jpeg(8), png, bmp, other])
    image = tf.ensure_shape(image, [None, None, channels])
    if size is not None:
        image = fit(image, size)
    if orientation is not None:
        turns = [
            lambda: image,
            lambda: image[:, ::-1],
            lambda: image[::-1, ::-1],
            lambda: image[::-1],
            lambda: tf.transpose(image, [1, 0, 2]),
            lambda: tf.transpose(image, [1, 0, 2])[:, ::-1],
            lambda: tf.transpose(image, [1, 0, 2])[::-1, ::-1],
            lambda: tf.transpose(image, [1, 0, 2])[::-1],
        ]
        image = tf.switch_case(tf.cast(orientation, tf.int32) - 1, turns)
    return image


def fit(images, size):
    """Crops to the central square and resizes it (bilinear, antialiased).

    Args:
        images: uint8 ``[height, width, channels]``, or with a batch in front.
        size: Side in pixels.

    Returns:
        uint8 ``[size, size, channels]``, or with a batch in front.
    """
    import tensorflow as tf

    height, width = tf.unstack(tf.shape(images)[-3:-1])

    def resized():
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = tf.image.resize(images[..., top : top + side, left : left + side, :], [size, size], antialias=True)
        return tf.cast(tf.round(tf.clip_by_value(pixels, 0, 255)), tf.uint8)

    out = tf.cond((height == size) & (width == size), lambda: tf.identity(images), resized)
    return tf.ensure_shape(out, [*images.shape[:-3], size, size, images.shape[-1]])


def convert(images, channels):
    """Grey to colour or colour to grey: uint8 ``[..., 1 or 3]`` to uint8 ``[..., channels]``."""
    import tensorflow as tf

    if images.shape[-1] == channels:
        return images
    # `grayscale_to_rgb` takes no NumPy array.
    images = tf.convert_to_tensor(images)
    return tf.image.grayscale_to_rgb(images) if channels == 3 else tf.image.rgb_to_grayscale(images)
