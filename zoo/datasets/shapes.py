"""Toy scenes with captions: one coloured shape each, so that whether an image is what its caption says can be measured.

An image shows a shape in one of COLOURS at one of POSITIONS, on grey. Sizes, places, colours and greys vary a little.
`attributes_in_images` reads shape, colour and position off an image, and is right on every image of the data;
`attributes_in_captions` reads them off a caption.
"""

import numpy as np

from zoo.captions import Captions, words
from zoo.datasets.arrays import InMemoryDataset
from zoo.errors import RequestError

SIDE = 32
_SIZES = {"train": 10_000, "test": 2_000}
SHAPES = ("circle", "square", "triangle", "cross")
#: Name → RGB.
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 70),
    "blue": (50, 90, 230),
    "yellow": (240, 210, 50),
    "purple": (160, 60, 200),
    "white": (240, 240, 240),
}
#: Name → centre (x, y), in shares of the side.
POSITIONS = {
    "top left": (0.28, 0.28),
    "top right": (0.72, 0.28),
    "centre": (0.5, 0.5),
    "bottom left": (0.28, 0.72),
    "bottom right": (0.72, 0.72),
}
#: Attribute → the names of its values.
ATTRIBUTES = {"shape": SHAPES, "colour": tuple(COLOURS), "position": tuple(POSITIONS)}
_TEMPLATES = ("a {colour} {shape} at the {position}", "the {shape} at the {position} is {colour}")
#: How far a centre varies, and the range of sizes, in shares of the side; how far a colour varies, and the greys.
_JITTER, _RADII = 0.04, (0.14, 0.18)
_TINT, _GREYS = 12, (16, 48)
#: Sizes that `attributes_in_images` compares.
_TRIED = np.linspace(0.12, 0.20, 9)
_CHUNK = 512


def load(source, *, image_size=None, channels=None):
    """The scenes, rendered at the side that is asked for, 32 pixels if None.

    Raises:
        RequestError: fewer than 16 pixels, or grey images.
    """
    if image_size is not None and image_size < 16:
        raise RequestError(
            f"data.image_size {image_size}: expected 16 or more for '{source}', where shapes can be told"
        )
    if channels == 1:
        raise RequestError(f"data.channels 1: '{source}' has captions of colours; expected 3 or None")
    return ShapesDataset(source, image_size or SIDE)


class ShapesDataset(InMemoryDataset):
    """The scenes; the label is the shape. Each has two captions."""

    def __init__(self, name, side):
        scenes = {split: _scenes(split) for split in _SIZES}
        captions = Captions({split: _captions(scene) for split, scene in scenes.items()})
        super().__init__(name, (side, side, 3), len(SHAPES), SHAPES, captions)
        self._scenes = scenes

    def num_examples(self, split):
        self._check_split(split)
        return _SIZES[split]

    def attributes(self, split):
        """The attributes of all examples of `split`: {attribute: int [n], the index of its value}."""
        self._check_split(split)
        return {attribute: self._scenes[split][attribute] for attribute in ATTRIBUTES}

    def _load(self, split):
        scenes = self._scenes[split]
        for start in range(0, _SIZES[split], _CHUNK):
            piece = {key: values[start : start + _CHUNK] for key, values in scenes.items()}
            yield _draw(piece, self.data_shape[0]), piece["shape"]


def attributes_in_images(images):
    """Shape, colour and position that images show.

    The grey is the median of the pixels. The colour is that of the pixels furthest from it, the position that of the
    centroid, and the shape the one whose drawing there, in any of some sizes, is nearest.

    Args:
        images: uint8 [N, H, H, 3].

    Returns:
        {attribute: int [N], the index of its value}: what is nearest, whatever the images show.
    """
    found = [_attributes(np.float64(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    return {attribute: np.concatenate([piece[attribute] for piece in found]) for attribute in ATTRIBUTES}


def attributes_in_captions(captions):
    """Shape, colour and position that captions name.

    Args:
        captions: N texts.

    Returns:
        {attribute: int [N], the index of its value, or -1 where none is named}.
    """
    found = {attribute: np.full(len(captions), -1) for attribute in ATTRIBUTES}
    for row, caption in enumerate(captions):
        spaced = f" {' '.join(words(caption))} "
        for attribute, names in ATTRIBUTES.items():
            for index, name in enumerate(names):
                if f" {name} " in spaced:
                    found[attribute][row] = index
    return found


def _scenes(split):
    """What each image of a split shows: arrays by name."""
    # The one generator whose stream NumPy never changes.
    rng, count = np.random.RandomState(list(_SIZES).index(split)), _SIZES[split]
    scenes = {attribute: rng.randint(len(names), size=count) for attribute, names in ATTRIBUTES.items()}
    centres = np.array(list(POSITIONS.values()))[scenes["position"]]
    tints = np.array(list(COLOURS.values()))[scenes["colour"]]
    return {
        **scenes,
        "centre": centres + rng.uniform(-_JITTER, _JITTER, (count, 2)),
        "radius": rng.uniform(*_RADII, count),
        "tint": tints + rng.uniform(-_TINT, _TINT, (count, 3)),
        "grey": rng.uniform(*_GREYS, count),
    }


def _captions(scenes):
    named = zip(*(np.array(names)[scenes[attribute]] for attribute, names in ATTRIBUTES.items()))
    values = (dict(zip(ATTRIBUTES, each)) for each in named)
    return [tuple(template.format(**each) for template in _TEMPLATES) for each in values]


def _draw(scenes, side):
    """uint8 images [N, side, side, 3] of scenes."""
    masks = np.zeros((len(scenes["shape"]), side, side))
    for index, shape in enumerate(SHAPES):
        rows = scenes["shape"] == index
        masks[rows] = _masks(shape, scenes["centre"][rows], scenes["radius"][rows], side)
    grey, tint = scenes["grey"][:, None, None, None], scenes["tint"][:, None, None]
    return np.clip(np.rint(grey + masks[..., None] * (tint - grey)), 0, 255).astype(np.uint8)


def _masks(shape, centres, radii, side):
    """How much of each pixel a shape covers, float [N, side, side] in [0, 1]: by its distance from the edge.

    Every shape's centroid is its centre.
    """
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2)
    x, y = x - centres[:, 0, None, None], y - centres[:, 1, None, None]
    r = np.broadcast_to(np.asarray(radii, np.float64), len(centres))[:, None, None]
    if shape == "circle":
        outside = np.hypot(x, y) - r
    elif shape == "square":
        outside = np.maximum(np.abs(x), np.abs(y)) - 0.9 * r
    elif shape == "triangle":
        # Equilateral, its corners 1.3 r from the centroid and its sides half as far.
        slanted = np.abs(x) * (np.sqrt(3) / 2) - y / 2
        outside = np.maximum(slanted, y) - 0.65 * r
    else:
        arm, half = 1.1 * r, 0.35 * r
        across = np.maximum(np.abs(x) - arm, np.abs(y) - half)
        outside = np.minimum(across, np.maximum(np.abs(x) - half, np.abs(y) - arm))
    return np.clip(0.5 - outside * side, 0.0, 1.0)


def _attributes(images):
    side = images.shape[1]
    grey = np.median(images, axis=(1, 2), keepdims=True)
    away = images - grey
    strength = np.linalg.norm(away, axis=-1)
    full = strength > 0.7 * strength.max(axis=(1, 2), keepdims=True)
    weight = full / np.maximum(full.sum(axis=(1, 2), keepdims=True), 1)
    tint = np.einsum("nhw,nhwc->nc", weight, images)
    colour = np.linalg.norm(tint[:, None] - np.array(list(COLOURS.values())), axis=-1).argmin(axis=1)
    towards = tint - grey[:, 0, 0]
    scale = np.maximum(np.sum(np.square(towards), axis=-1), 1e-9)
    mask = np.clip(np.einsum("nhwc,nc->nhw", away, towards) / scale[:, None, None], 0.0, 1.0)
    total, places = np.maximum(mask.sum(axis=(1, 2)), 1e-9), (np.arange(side) + 0.5) / side
    centre = np.stack([mask.sum(axis=1) @ places, mask.sum(axis=2) @ places], axis=1) / total[:, None]
    position = np.linalg.norm(centre[:, None] - np.array(list(POSITIONS.values())), axis=-1).argmin(axis=1)
    errors = [
        np.min([np.square(mask - _masks(shape, centre, radius, side)).sum(axis=(1, 2)) for radius in _TRIED], axis=0)
        for shape in SHAPES
    ]
    return {"shape": np.argmin(errors, axis=0), "colour": colour, "position": position}
