"""Samples that another tool made, in a generator's place: a folder of images, or an .npy, .npz or .csv file.

============================ ==========================================================================================
given                        read as
============================ ==========================================================================================
folder of image files        images, one size; in class folders or not, at any depth
uint8 [N, H, W, C], [N, H, W] images of bytes, C being 1 or 3; other integers from 0 to 255 too
float [N, H, W, C], …        images in [-1, 1], [0, 1] or [0, 255]: whichever the smallest and largest value say
[N, C, H, W]                 the same, transposed
[N, d]                       points
============================ ==========================================================================================

An .npz file holds the samples under `samples` or `images`, as its first array `arr_0`, or as its only array; class
labels, int [N], under `labels` or as `arr_1`. A .csv file has a point a line, with or without a line of names.

Everything is looked at once before the evaluation starts, and a file that cannot be measured as it stands is refused in
one line. What is read otherwise than as it stands is told in the report's notes. Memory holds a batch of a folder, and
what of an array the system keeps of its file.
"""

import atexit
import collections
import concurrent.futures
import dataclasses
import functools
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable

import numpy as np
from etils import epath

from export.image_values import reading_of
from zoo.datasets import folder
from zoo.errors import RequestError
from zoo.progress import Progress

#: Keys of an .npz file, in the order in which they are looked for.
_EXAMPLES, _LABELS = ("samples", "images", "arr_0"), ("labels", "arr_1")
#: Bytes of an array that are looked at together.
_CHUNK = 8 * 2**20
#: Files that are looked at together.
_FILES = 256
_SUFFIXES = (".npz", ".npy", ".csv")


@dataclasses.dataclass(frozen=True, eq=False)
class GivenSamples:
    """Samples in the place of an `export.generators.Generator`, whose attributes it has as far as they apply.

    A "seed" is a place in a fixed random order of the samples, which are often stored class by class.

    Attributes:
        data_shape: (H, W, C) or (d,).
        available: how many samples there are.
        read: positions int64 [n] → the samples there, NumPy uint8 [n, H, W, C], or points, float32 [n, d].
        where: what a message calls them.
        class_labels: int64 [N], the class of each, or None. Until `matched`, numbers of `class_names` where there are.
        class_names: names of the classes that folders tell, or None.
        grey: whether all are grey images, though they have three channels.
        notes: tuple of str, what a reader of a report should know of how they were read.
        generate, tensors, latent_dim, parameters, upscale, seeded, captions: as of a generator; there are none.
    """

    data_shape: tuple
    available: int
    read: Callable
    where: str
    class_labels: np.ndarray | None = None
    class_names: tuple | None = None
    grey: bool = False
    notes: tuple = ()
    generate = tensors = latent_dim = parameters = upscale = seeded = captions = None

    def sample(self, seeds):
        """The samples at some places of the order: int64 [n] → as `read`."""
        return self.read(self._order[np.asarray(seeds)])

    @property
    def labels(self):
        """Function from seeds to the labels of the samples there; None without labels."""
        if self.class_labels is None:
            return None
        return lambda seeds: self.class_labels[self._order[np.asarray(seeds)]]

    def sample_with_labels(self, seeds, labels):
        """Samples of given labels: of each label its first sample in the order for the seed 0, and so on; from the
        first again where there are no more."""
        ordered = self.class_labels[self._order]
        places = {label: np.flatnonzero(ordered == label) for label in np.unique(labels).tolist()}
        chosen = [places[label][seed % len(places[label])] for seed, label in zip(seeds, np.asarray(labels).tolist())]
        return self.sample(np.array(chosen))

    @functools.cached_property
    def _order(self):
        return np.random.default_rng(0).permutation(self.available)

    def matched(self, data):
        """The same samples as images of the data's channels, with labels that are the data's.

        Args:
            data: `zoo.datasets.Dataset` to measure them against.

        Raises:
            RequestError: they are of another shape than the data, or their labels are no classes of it, or all one.
        """
        shape, expected = self.data_shape, tuple(data.data_shape)
        if len(shape) != len(expected):
            kinds = {1: f"points [N, {shape[0]}]", 3: f"images of {_times(shape)}"}
            also = "; images are given as [N, H, W, C]" if len(expected) == 3 else ""
            raise RequestError(
                f"{self.where}: {kinds[len(shape)]}, and {data.name!r} has {_times(expected)}{also}; expected the same"
            )
        if len(shape) == 1 and shape != expected:
            raise RequestError(f"{self.where}: points [N, {shape[0]}], and {data.name!r} has [N, {expected[0]}]")
        if shape[:2] != expected[:2]:
            raise RequestError(
                f"{self.where}: images of {_times(shape)}, and {data.name!r} has {_times(expected)}; "
                "--image_size=PIXELS crops and resizes both alike"
            )
        made = self
        if shape[2:] == (3,) and expected[2:] == (1,) and self.grey:
            note = "The samples are grey images that were stored with three channels; one was read."
            made = dataclasses.replace(
                self,
                data_shape=expected,
                read=lambda positions: self.read(positions)[..., :1],
                notes=(*self.notes, note),
            )
        elif shape != expected:
            colours = {1: "grey images (1 channel)", 3: "colour images (3 channels)"}
            raise RequestError(
                f"{self.where}: {colours[shape[2]]}, and {data.name!r} has {colours[expected[2]]}; expected the same"
            )
        return made._with_labels_of(data)

    def _with_labels_of(self, data):
        labels = self.class_labels
        if labels is None:
            return self
        known = data.spec.display_names
        if self.class_names is not None:
            strange = sorted(set(self.class_names) - set(known))
            if strange:
                note = f"The samples' folders were not read as classes: the data has no class {strange[0]!r}."
                return dataclasses.replace(self, class_labels=None, notes=(*self.notes, note))
            labels = np.array([known.index(name) for name in self.class_names])[labels]
        elif not known and len(self.data_shape) == 3:
            note = "The samples' labels were not read: the data has none."
            return dataclasses.replace(self, class_labels=None, notes=(*self.notes, note))
        elif known and labels.max() >= len(known):
            raise RequestError(
                f"{self.where}: label {labels.max()}; {data.name!r} has {len(known)} classes, 0 to {len(known) - 1}"
            )
        if len(known) > 1 and len(np.unique(labels)) == 1:
            raise RequestError(
                f"{self.where}: all {self.available:,} labels are {labels[0]} ({known[labels[0]]}), and {data.name!r} "
                f"has {len(known)} classes; expected samples of all of them, or none that are labelled"
            )
        return dataclasses.replace(self, class_labels=labels)


def load(path, image_size=None, where="--samples"):
    """Opens samples and looks at all of them.

    Args:
        path: a folder of images, or an .npz, .npy or .csv file.
        image_size: side of the square that images are cropped (centrally) and resized (bilinearly, antialiased) to, as
            `zoo.datasets.load` does; None leaves their size.
        where: name of the path in messages.

    Returns:
        `GivenSamples`.

    Raises:
        RequestError: there is nothing of that kind; a file is damaged; images differ in size and there is no
            `image_size`; values are not finite, or in no known range.
    """
    path = epath.Path(path).expanduser()
    where = f"{where}: {path}"
    if path.is_dir():
        return _of_folder(path, image_size, where)
    if not path.exists():
        raise RequestError(f"{where}: no such file or folder")
    if path.suffix.lower() not in _SUFFIXES:
        raise RequestError(f"{where}: expected a folder of images, or a file that ends in {', '.join(_SUFFIXES)}")
    try:
        array, labels = {".npz": _of_npz, ".npy": _of_npy, ".csv": _of_csv}[path.suffix.lower()](path, where)
    except RequestError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise RequestError(f"{where}: cannot be read ({folder.damage(error)})") from error
    return _of_array(array, labels, image_size, where)


def _of_npy(path, where):
    return np.load(path, mmap_mode="r", allow_pickle=False), None


def _of_csv(path, where):
    with open(path) as file:
        first = file.readline()
    names = not any(_is_number(cell) for cell in first.split(","))
    return np.loadtxt(path, np.float64, delimiter=",", skiprows=int(names), ndmin=2), None


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_npz(path, where):
    with zipfile.ZipFile(path) as archive:
        if broken := archive.testzip():
            raise RequestError(f"{where}: {broken} is damaged (its checksum is wrong)")
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        key = next((name for name in _EXAMPLES if name in members), None)
        if key is None and len(members) == 1:
            (key,) = members
        if key is None:
            names = ", ".join(members) or "nothing"
            raise RequestError(f"{where}: holds {names}; expected the samples under {', '.join(_EXAMPLES)}")
        of_labels = next((name for name in _LABELS if name in members), None)
        array = _member(path, archive, members[key])
        return array, None if of_labels is None else _labels(_member(path, archive, members[of_labels]), where)


def _member(path, archive, info):
    """An array of an .npz file, on disk: where it lies in the file, or of a compressed one, in a temporary file."""
    if info.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
            name, extra = (int.from_bytes(header[start : start + 2], "little") for start in (26, 28))
            file.seek(info.header_offset + 30 + name + extra)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = read(file)
            if not dtype.hasobject and np.prod(shape):
                return np.memmap(path, dtype, "r", file.tell(), shape, "F" if by_columns else "C")
    place = tempfile.mkdtemp(prefix="tf-gan-zoo-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return np.load(archive.extract(info, place), mmap_mode="r", allow_pickle=False)


def _labels(array, where):
    if array.ndim == 2 and array.dtype.kind in "fiu" and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all():
        array = array.argmax(axis=1)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise RequestError(f"{where}: labels are {array.dtype} {list(array.shape)}; expected integers [N]")
    if len(array) and array.min() < 0:
        raise RequestError(f"{where}: label {array.min()}; expected 0 or more")
    return np.asarray(array, np.int64)


def _of_array(array, labels, image_size, where):
    described = f"{array.dtype} {list(array.shape)}"
    if array.dtype.kind not in "fiu":
        raise RequestError(f"{where}: {described}; expected integers or floats")
    if not array.size:
        raise RequestError(f"{where}: {described}, no samples")
    if labels is not None and len(labels) != len(array):
        raise RequestError(f"{where}: {len(labels):,} labels beside {len(array):,} samples; expected as many")
    smallest, largest = _range(array, where)
    common = {"available": len(array), "where": where, "class_labels": labels}
    if array.ndim == 2:
        return GivenSamples(array.shape[1:], read=lambda positions: np.float32(array[positions]), **common)
    notes, axes = [], None
    if array.ndim == 4 and array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        axes = (0, 2, 3, 1)
        notes.append(f"The samples are stored as [N, C, H, W], {list(array.shape)}, and were transposed.")
    channels = 1 if array.ndim == 3 else array.shape[1 if axes else -1]
    if array.ndim not in (3, 4) or channels not in (1, 3):
        raise RequestError(
            f"{where}: {described}; expected images [N, H, W, C] of 1 or 3 channels, [N, H, W], or points [N, d]"
        )
    reading = reading_of(array.dtype, smallest, largest, where, "The samples")
    notes += [reading.note] if reading.note else []

    def pixels(positions):
        images = np.asarray(array[np.asarray(positions)])
        images = images[..., None] if images.ndim == 3 else images.transpose(axes) if axes else images
        return reading.to_bytes(images)

    def read(positions):
        return pixels(positions) if image_size is None else _fitted(pixels(positions), image_size)

    height, width = array.shape[2:4] if axes else array.shape[1:3]
    if image_size not in (None, height) or image_size not in (None, width):
        notes.append(f"The samples were cropped and resized from {height}×{width} to {image_size}×{image_size} pixels.")
    shape = (image_size or height, image_size or width, channels)
    grey = channels == 3 and all(_is_grey(pixels(rows)) for rows in _rows(array))
    return GivenSamples(tuple(map(int, shape)), read=read, grey=grey, notes=tuple(notes), **common)


def _rows(array):
    """Positions of an array's rows, a chunk at a time, so that the whole is never in memory."""
    step = max(1, _CHUNK // max(1, array[:1].size * 8))
    return [np.arange(start, min(start + step, len(array))) for start in range(0, len(array), step)]


def _range(array, where):
    """(smallest, largest) value; raises RequestError where one is not finite."""
    smallest, largest = np.inf, -np.inf
    for rows in _rows(array):
        chunk = array[rows[0] : rows[-1] + 1]
        if array.dtype.kind == "f" and not (finite := np.isfinite(chunk).reshape(len(rows), -1).all(axis=1)).all():
            first = rows[0] + int(np.argmin(finite))
            raise RequestError(f"{where}: sample {first} holds values that are not finite (NaN or infinite)")
        smallest, largest = min(smallest, chunk.min()), max(largest, chunk.max())
    return smallest, largest


def _is_grey(images):
    return bool((images == images[..., :1]).all())


def _fitted(images, size):
    from zoo.datasets.images import fit

    return fit(images, size).numpy()


def _of_folder(path, image_size, where):
    names = folder.list_images(path, where)
    if not names:
        raise RequestError(f"{where}: no images in it ({' '.join(folder.images.SUFFIXES)})")
    with Progress(len(names), "checking samples", "image") as progress, _readers() as pool:
        looked = []
        for start in range(0, len(names), _FILES):
            for found in pool.map(lambda name: _look(path, name), names[start : start + _FILES]):
                if isinstance(found, str):
                    raise RequestError(f"{where}: {names[len(looked)]} is damaged ({found})")
                looked.append(found)
            progress.update(len(looked))
    sizes = collections.Counter(found.size for found in looked)
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) > 1 and image_size is None:
        other = next(index for index, found in enumerate(looked) if found.size != (height, width))
        raise RequestError(
            f"{where}: images differ in size: most are {height}×{width}, {names[other]} is "
            f"{_times(looked[other].size)}; --image_size=PIXELS crops and resizes samples and data alike"
        )
    notes = []
    if image_size is not None and set(sizes) != {(image_size, image_size)}:
        span = f"{height}×{width}" if len(sizes) == 1 else "several sizes"
        notes.append(f"The samples were cropped and resized from {span} to {image_size}×{image_size} pixels.")
    stored = {found.channels for found in looked}
    if len(stored) > 1:
        notes.append("Some of the samples are stored as grey images, others as colour images.")
    if transparent := sum(found.transparent for found in looked):
        notes.append(f"{transparent:,} of the samples have transparent pixels, which were put on white.")
    channels = max(stored)
    classes = folder.class_folders(names)
    labels = None
    if classes is not None:
        numbers = {name: number for number, name in enumerate(classes)}
        labels = np.array([numbers[name.split("/", 1)[0]] for name in names], np.int64)

    def read(positions):
        with _readers() as pool:
            images = pool.map(lambda position: _pixels(path, names[position], channels), positions)
            if image_size is not None:
                images = (_fitted(image, image_size) for image in images)
            return np.stack(list(images))

    return GivenSamples(
        (image_size or height, image_size or width, channels),
        len(names),
        read,
        where,
        labels,
        classes and tuple(classes),
        channels == 3 and all(found.grey for found in looked),
        tuple(notes),
    )


@dataclasses.dataclass(frozen=True)
class _Look:
    """A sound image file: (height, width), channels stored, whether its pixels are all grey, any transparent."""

    size: tuple
    channels: int
    grey: bool
    transparent: bool


def _look(root, name):
    """`_Look` at a file, or what is wrong with it in words."""
    try:
        encoded = (root / name).read_bytes()
        folder.inspect(encoded)
        image, transparent = _opened(encoded)
        pixels = np.asarray(image)
    except Exception as error:  # Pillow's readers raise nearly every type there is on damaged bytes
        return folder.damage(error)
    channels = 1 if pixels.ndim == 2 else 3
    return _Look(pixels.shape[:2], channels, channels == 1 or _is_grey(pixels), transparent)


def _pixels(root, name, channels):
    """Pixels of a file, uint8 [H, W, channels]."""
    pixels = np.asarray(_opened((root / name).read_bytes())[0])
    return np.repeat(pixels[..., None], channels, axis=-1) if pixels.ndim == 2 else pixels


def _opened(encoded):
    """(PIL image of mode L or RGB, upright and on white, whether any pixel was transparent) of a file's bytes."""
    from PIL import Image, ImageOps

    image = Image.open(io.BytesIO(encoded))
    if image.format in ("JPEG", "PNG", "WEBP"):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # grey of 16 bits: the high byte, as other readers take
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), False
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3:] / np.float32(255)
        transparent = bool((alpha < 1).any())
        if transparent:
            on_white = np.rint(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
        else:
            on_white = rgba[..., :3]
        image = Image.fromarray(on_white)
        return (image if image.mode == "RGB" else image.convert("RGB")), transparent
    return image.convert("L" if image.mode in ("1", "L") else "RGB"), False


def _readers():
    # Decoders and file reads release the GIL.
    return concurrent.futures.ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1)))


def _times(shape):
    return "×".join(map(str, shape))
