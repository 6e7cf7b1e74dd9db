"""Image files made larger by a super-resolution model; ``python -m export.sample --images`` is the program.

Files are read as the pixels that a viewer shows: turned as their EXIF data says, transparent parts on white.
"""

import io
import os

import numpy as np
from etils import epath

from export.signatures import MOST_PIXELS
from zoo import grids
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing
from zoo.progress import Progress

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def plan(source, out):
    """Which files are read and written.

    Args:
        source: path of an image, or of a folder of images.
        out: path of a PNG file for one image, or of a folder (one that exists, or with a slash at the end).

    Returns:
        List of (epath.Path of an image, epath.Path of its PNG), not empty.

    Raises:
        RequestError: there are no such images, two would have the same name, or `out` does not fit or is not writable.
    """
    path = epath.Path(source).expanduser()
    if not path.exists():
        raise RequestError(f"--images: {source!r}; expected an image file, or a folder of them")
    found = [path]
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES and not each.is_dir())
        if not found:
            raise RequestError(f"--images: {source!r} holds no image; expected files of {', '.join(_SUFFIXES)}")
    target = epath.Path(out or "").expanduser()
    folder = bool(out) and (out.endswith("/") or target.is_dir())
    if not folder and (len(found) > 1 or target.suffix != ".png"):
        expected = "FOLDER/ (with the slash)" if len(found) > 1 else "FILE.png or FOLDER/ (with the slash)"
        raise RequestError(f"--out: {out!r}; expected {expected} for the images of {source!r}")
    pictures = [(each, target / f"{each.stem}.png" if folder else target) for each in found]
    sources = {os.path.realpath(each): each for each in found}
    written = {}
    for each, made in pictures:
        if made in written:
            raise RequestError(f"--images: {written[made].name} and {each.name} would both become {made.name}")
        if os.path.realpath(made) in sources:
            raise RequestError(f"--out: {out!r}; {made} is one of the images themselves, expected another place")
        written[made] = each
    check_writable(target if folder else target.parent, "--out")
    return pictures


def read(path, channels=3):
    """The pixels of an image file, uint8 [h, w, channels].

    Args:
        path: epath.Path.
        channels: 1 (grey) or 3 (RGB).

    Raises:
        RequestError: it cannot be decoded, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        if image.width * image.height > MOST_PIXELS:
            size = f"{image.height}x{image.width} pixels"
            raise RequestError(f"--images: {path}: {size}; expected at most {MOST_PIXELS:,} in all, crop or shrink it")
        image = ImageOps.exif_transpose(image)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"--images: {path} cannot be read as an image ({reason})") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def of(generator, where):
    """`generator.upscale`. Raises RequestError where an `export.generators.Generator` has none."""
    if generator.upscale is None:
        raise RequestError(f"--images: {where} makes images of seeds alone; expected a super-resolution model")
    return generator.upscale


def write_all(pictures, upscale, channels=3):
    """Upscales image files, one after the other, showing progress.

    Args:
        pictures: as of `plan`.
        upscale: function of images uint8 [1, h, w, C] → uint8 [1, 4h, 4w, C].
        channels: C.

    Raises:
        RequestError: as of `read`; or a file cannot be written.
    """
    from PIL import Image

    with Progress(len(pictures), "upscaling", "image") as progress:
        for source, target in pictures:
            pixels = read(source, channels)
            larger = upscale(pixels[None])[0]
            picture = Image.fromarray(larger[..., 0] if channels == 1 else larger)
            with writing("--out", target):
                target.parent.mkdir(parents=True, exist_ok=True)
                write_whole(target, grids.png_bytes(picture))
            progress.update(progress.done + 1)
