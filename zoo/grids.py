"""Pictures of a batch: images in a grid, points in a plot."""

import io
import math

import numpy as np

from zoo.files import write_whole

#: A tile of a grid is enlarged by a whole factor as long as it stays within so many pixels: 8×8 digits become visible.
_TILE = 64
_GAP = 2


def image_grid(images, columns=None):
    """Images side by side, the first at the top left.

    Args:
        images: uint8 [N, H, W, C] with 1 or 3 channels, N ≥ 1.
        columns: images a row; the square root of N, rounded up, if None.

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
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    factor = max(1, _TILE // max(height, width))
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = height * factor, width * factor
    grid = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        grid[top : top + height, left : left + width] = image
    return Image.fromarray(grid[..., 0] if channels == 1 else grid)


def point_plot(points, reference=None, size=640):
    """Points over the data's: a scatter plot of the first two coordinates, or a histogram in one dimension.

    Args:
        points: [N, d], what the generator made.
        reference: [M, d], the data, drawn in grey underneath and setting the axes' limits; or None.
        size: height and width in pixels.

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
        axes.scatter(points[:, 0], points[:, 1], s=6, c="C0", alpha=0.6, linewidths=0, label="generator")
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


def save_grid(images, path, columns=None):
    """Writes `image_grid` of images uint8 [N, H, W, C] as a PNG, whole or not at all."""
    write_whole(path, png_bytes(image_grid(images, columns)))


def save_points(points, path, reference=None):
    """Writes `point_plot` of points [N, d] as a PNG, whole or not at all."""
    write_whole(path, png_bytes(point_plot(points, reference)))
