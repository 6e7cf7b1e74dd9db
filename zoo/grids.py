"""Pictures of a batch: images in a grid, points in a plot."""

import io
import math
import textwrap

import numpy as np

from zoo.files import write_whole

#: A tile of a grid is enlarged by a whole factor as long as it stays within so many pixels: 8×8 digits become visible.
_TILE = 64
_GAP = 2
#: Of samples by class: most rows, one a class, and columns, one a seed.
MOST_ROWS, _COLUMNS = 10, 8
#: Of a row's name: size in pixels of its letters, its most characters, and the space beside it.
_LETTERS, _MOST_LETTERS, _MARGIN = 14, 20, 8


def class_rows(labels, first_seed=0):
    """Seeds and labels of a picture with a row for each class, in which a column shows one seed under every class.

    Args:
        labels: int [K], each class once; the first ten get rows.
        first_seed: seed of the first of eight columns.

    Returns:
        (seeds, labels), int64 [8 · min(K, 10)], row by row.
    """
    labels = np.asarray(labels, np.int64)[:MOST_ROWS]
    return np.tile(first_seed + np.arange(_COLUMNS), len(labels)), np.repeat(labels, _COLUMNS)


def caption_rows(captions, first_seed=0):
    """Seeds and captions of a picture with a row for each caption, as of `class_rows`.

    Args:
        captions: texts; the first ten different ones get rows.
        first_seed: as of `class_rows`.

    Returns:
        (seeds int64 [8 R], list of 8 R captions, list of the R captions of the rows).
    """
    shown = list(dict.fromkeys(captions))[:MOST_ROWS]
    seeds, rows = class_rows(range(len(shown)), first_seed)
    return seeds, [shown[row] for row in rows], shown


def image_grid(images, columns=None, names=None):
    """Images side by side, the first at the top left.

    Args:
        images: uint8 [N, H, W, C] with 1 or 3 channels, N ≥ 1.
        columns: images a row; the square root of N, rounded up, if None.
        names: a name for each row, to stand at its left, N a multiple of their number; in the place of `columns`.

    Returns:
        A PIL image, grey or RGB, small images enlarged by a whole factor (no pixel is blended with another).

    Raises:
        ValueError: on another dtype or shape.
    """
    from PIL import Image

    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 [N, H, W, 1 or 3], N ≥ 1")
    count, height, width, channels = images.shape
    if names is not None:
        columns = count // len(names)
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    factor = max(1, _TILE // max(height, width))
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = height * factor, width * factor
    grid = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        grid[top : top + height, left : left + width] = image
    picture = Image.fromarray(grid[..., 0] if channels == 1 else grid)
    return picture if names is None else _beside_names(picture, names, height)


def _beside_names(grid, names, height):
    """A grid, whose tiles have this height, with a name at the left of each row, in as many lines as fit."""
    from PIL import Image, ImageDraw, ImageFont

    # A tile lower than a line of text would leave rows whose names run into one another.
    font = ImageFont.load_default(min(_LETTERS, height))
    most = max(1, int(height // (1.5 * _LETTERS)))
    names = [textwrap.wrap(name, _MOST_LETTERS, max_lines=most, placeholder="…") or [""] for name in names]
    left = math.ceil(max(font.getlength(line) for lines in names for line in lines)) + 2 * _MARGIN
    picture = Image.new(grid.mode, (left + grid.width, grid.height), "white")
    picture.paste(grid, (left, 0))
    draw = ImageDraw.Draw(picture)
    for row, lines in enumerate(names):
        middle = row * (height + _GAP) + height / 2
        draw.text((left - _MARGIN, middle), "\n".join(lines), "black", font, anchor="rm", align="right")
    return picture


def point_plot(points, reference=None, size=640, labels=None):
    """Points over the data's: a scatter plot of the first two coordinates, or a histogram in one dimension.

    Args:
        points: [N, d], what the generator made.
        reference: [M, d], the data, drawn in grey underneath and setting the axes' limits; or None.
        size: height and width in pixels.
        labels: int [N], the label that each point was made for, told by its colour, ten of them in turn; or None.

    Returns:
        A PIL image, RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    points = np.asarray(points)
    # The object interface: no global state, so that it works beside anyone's pyplot and without a display.
    figure = Figure(figsize=(size / 100, size / 100), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    shown = points if reference is None else np.asarray(reference)
    low, high = shown.min(axis=0), shown.max(axis=0)
    middle, reach = (low + high) / 2, 0.65 * max(float((high - low).max()), 1e-6)
    if points.shape[1] == 1:
        bins = np.linspace(middle[0] - reach, middle[0] + reach, 81)
        if reference is not None:
            axes.hist(shown[:, 0], bins, density=True, color="0.8", label="data")
        axes.hist(points[:, 0], bins, density=True, histtype="step", color="C0", label="generator")
    else:
        if reference is not None:
            axes.scatter(shown[:, 0], shown[:, 1], s=6, c="0.75", linewidths=0, label="data")
        colours = "C0" if labels is None else [f"C{label % 10}" for label in labels]
        label = "generator" if labels is None else "generator, a colour a label"
        axes.scatter(points[:, 0], points[:, 1], s=6, c=colours, alpha=0.6, linewidths=0, label=label)
        axes.set(ylim=(middle[1] - reach, middle[1] + reach), aspect="equal")
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    if reference is not None:
        axes.legend(loc="upper right", markerscale=3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def png_bytes(picture):
    """A PIL image as an encoded PNG file."""
    encoded = io.BytesIO()
    picture.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()


def save_grid(images, path, columns=None, names=None):
    """Writes `image_grid` of images uint8 [N, H, W, C] as a PNG, whole or not at all."""
    write_whole(path, png_bytes(image_grid(images, columns, names)))


def save_points(points, path, reference=None, labels=None):
    """Writes `point_plot` of points [N, d] as a PNG, whole or not at all."""
    write_whole(path, png_bytes(point_plot(points, reference, labels=labels)))
