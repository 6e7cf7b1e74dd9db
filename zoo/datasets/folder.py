"""Images in a folder of any size, decoded on demand: memory holds only their names and labels.

TensorFlow decodes them, because a pipeline must not call Python (`zoo.datasets.images`). When the folder is opened,
Pillow converts the files that TensorFlow cannot read exactly to PNG, in a temporary directory.

A file ``captions.jsonl`` beside the images, or in the folder above ``train`` and ``test``, has their captions, one a
line, ``{"file_name": "cats/1.png", "text": "a cat on a mat"}``, names being relative to its own folder. An image may
have several lines.
"""

import atexit
import concurrent.futures
import hashlib
import io
import json
import logging
import os
import shutil
import tempfile

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from zoo.captions import Captions, words
from zoo.datasets import images
from zoo.datasets.dataset import ImageDataset
from zoo.errors import RequestError
from zoo.files import check_regular

_CAPTIONS = "captions.jsonl"
_TEST_NAMES = ("test", "val", "validation", "valid")
_HELD_OUT = 10  # one image in ten, where the folder has no test images of its own
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def load(source, directory, *, image_size, channels=None, on_corrupt="error"):
    """Lists and scans a folder.

    With subfolders ``train`` and ``test`` (or ``val``, ``validation``, ``valid``) these are the splits. Otherwise about
    one image in ten is held out, chosen by a hash of its path, so that it stays held out when other images are added or
    removed. If all images lie in two or more subfolders of a split, the subfolders are the classes, in alphabetical
    order.

    Every file is decoded once here, which takes about as long as one epoch of reading in training. A damaged image
    raises an error that names it, or is left out with a warning. The decoders detect all damage to a PNG file, by its
    checksums, and most damage to a JPEG: wrong code words, or a wrong number of them. An image that is damaged later
    stops the run when it is read, with an error that names it.

    GIF files, WebP files with transparency or several frames, and BMP files with a palette, 16 bits or compression are
    converted to PNG, in a temporary directory that is removed when the process exits. Of several frames the first is
    used.

    Args:
        source: The source string, for messages.
        directory: An `epath.Path`.
        image_size: Side of the square that images are cropped and resized to.
        channels: 1 or 3; None means 3.
        on_corrupt: 'error' or 'skip'.

    Returns:
        A `FolderDataset`.

    Raises:
        RequestError: No such directory, no images in it, no `image_size`, a damaged image, or captions of some images
            and not of others.
    """
    if image_size is None:
        raise RequestError(f"data.image_size None: expected a number of pixels for '{source}', whose images may differ")
    if not directory.is_dir():
        raise RequestError(f"data.source '{source}': no such directory")
    held_out = next((name for name in _TEST_NAMES if (directory / name).is_dir()), None)
    if held_out is not None and (directory / "train").is_dir():
        roots = {"train": directory / "train", "test": directory / held_out}
    else:
        roots = {"all": directory}
    texts = _read_captions(source, directory, roots)
    place = tempfile.mkdtemp(prefix="tf-gan-zoo-")
    # Not sooner: a pipeline may outlive this data set and still read from the directory.
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    names, damaged, orientations, converted, smallest = {}, [], {}, {}, []
    listed = 0
    for part, root in roots.items():
        names[part] = list_images(root, f"data.source '{source}'")
        if not names[part]:
            raise RequestError(f"data.source '{source}': no images ({' '.join(images.SUFFIXES)}) in {root}")
        listed += len(names[part])
        if texts is not None:
            _check_captions(source, texts[part], names[part], root)
        bad, orientations[part], converted[part], sides = _check(source, root, names[part], place)
        smallest += [min((side, os.fspath(root / name)) for name, side in sides.items())] if sides else []
        damaged += [f"{root / name} ({why})" for name, why in bad.items()]
        names[part] = [name for name in names[part] if name not in bad]
    if damaged:
        summary = f"data.source '{source}': {len(damaged)} of {listed} images are damaged"
        if on_corrupt == "error":
            raise RequestError(f"{summary}, the first {damaged[0]}; data.on_corrupt=skip leaves them out")
        logging.warning("%s and left out, the first %s", summary, damaged[0])
        for part, root in roots.items():
            if not names[part]:
                raise RequestError(f"data.source '{source}': every image in {root} is damaged")

    class_names = class_folders(names.get("train") or names["all"])
    if "all" in names:
        names, roots = _hold_out(source, names["all"]), dict.fromkeys(("train", "test"), directory)
        orientations = dict.fromkeys(names, orientations["all"])
        converted = dict.fromkeys(names, converted["all"])
        texts = texts and dict.fromkeys(names, texts["all"])
    labels = None
    if class_names is not None:
        number = {name: i for i, name in enumerate(class_names)}
        labels = {}
        for part in names:
            of_class = [name.split("/", 1)[0] for name in names[part]]
            unknown = sorted(set(of_class) - set(number))
            if unknown:
                raise RequestError(f"data.source '{source}': class {unknown[0]!r} is in {roots[part]}, not in train")
            labels[part] = np.array([number[name] for name in of_class], np.int64)
    shape = (image_size, image_size, channels or 3)
    turned = {part: [orientations[part].get(name, 1) for name in names[part]] for part in names}
    captions = texts and Captions({part: [tuple(texts[part][name]) for name in names[part]] for part in names})
    return FolderDataset(source, roots, names, shape, labels, class_names, captions, turned, converted, min(smallest))


class FolderDataset(ImageDataset):
    """Images of a folder. Attributes beside those of `Dataset`: `paths`, ``{split: names relative to the root}``."""

    def __init__(
        self, name, roots, paths, data_shape, labels, class_names, captions, orientations, converted, smallest
    ):
        super().__init__(name, data_shape, None if class_names is None else len(class_names), class_names, captions)
        self.paths = paths
        self.smallest = smallest
        self._roots = {split: os.fspath(root) for split, root in roots.items()}
        self._labels = labels
        self._orientations = orientations
        self._converted = converted

    def num_examples(self, split):
        self._check_split(split)
        return len(self.paths[split])

    def checksum(self, split):
        """SHA-256 of the images' size, the folder's path, and each file's name, size, time of change and label.

        None for a remote folder, where asking for these takes as long as reading.
        """
        self._check_split(split)
        root = self._roots[split]
        if "://" in root:
            return None
        digest = hashlib.sha256(repr((self.data_shape, self.num_classes, os.path.abspath(root))).encode())
        labels = self._labels[split] if self._labels else np.zeros(len(self.paths[split]), np.int64)
        try:
            for name, label in zip(self.paths[split], labels):
                status = os.stat(os.path.join(root, name))
                digest.update(repr((os.fsencode(name), status.st_size, status.st_mtime_ns, int(label))).encode())
        except OSError:  # gone since; reading it reports the error
            return None
        return digest.hexdigest()

    def class_shares(self):
        return np.bincount(self._labels["train"], minlength=self.num_classes) / self.num_examples("train")

    def _evaluation_order(self, split, num):
        # Files are listed class by class; the first thousand would be of one class.
        return np.random.RandomState(0).permutation(self.num_examples(split))[:num]

    def _reader(self, split):
        import tensorflow as tf

        size = self.num_examples(split)
        converted = self._converted[split]
        paths = tf.constant([converted.get(name, name) for name in self.paths[split]])
        labels = tf.constant(self._labels[split] if self._labels else np.zeros(size, np.int64))
        # Few folders have rotated photographs; the others skip the rotation.
        turned = self._orientations[split] if any(o != 1 for o in self._orientations[split]) else None
        orientations = None if turned is None else tf.constant(turned, tf.int32)

        def path_of(index):
            path = tf.strings.join([self._roots[split], paths[index]], separator="/")
            if converted:  # converted files have absolute paths
                path = tf.where(tf.strings.substr(paths[index], 0, 1) == "/", paths[index], path)
            return path

        def decode(index):
            orientation = None if orientations is None else orientations[index]
            encoded = tf.io.read_file(path_of(index))
            return images.decode(encoded, self.data_shape[0], self.data_shape[2], orientation), labels[index]

        def fail(index):
            message = tf.strings.join(
                [f"data.source '{self.name}': cannot decode ", path_of(index), ", sound when the folder was opened"]
            )
            with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
                return tf.zeros(self.data_shape, tf.uint8), tf.identity(labels[index])

        def decode_or_fail(index):
            one = tf.data.Dataset.from_tensors(index)
            return one.map(decode).ignore_errors().concatenate(one.map(fail)).take(1).get_single_element()

        def read(indices):
            # Operations cannot catch errors, data sets can: a failed batch is read again, one image at a time.
            rows = tf.shape(indices, tf.int64)[0]
            each = tf.data.Dataset.from_tensor_slices(indices)
            # After an error the rest of the batch is too short, and dropped.
            whole = each.map(decode).batch(rows, drop_remainder=True).ignore_errors()
            return (
                whole.concatenate(each.map(decode_or_fail).batch(rows, drop_remainder=True))
                .take(1)
                .get_single_element()
            )

        return read


def list_images(root, where):
    """Paths of the images below a folder, relative to it, with forward slashes, sorted; hidden ones left out.

    Args:
        root: An `epath.Path`.
        where: What a message calls the folder.

    Raises:
        RequestError: A folder cannot be listed, or lies within itself.
    """
    base = os.fspath(root)
    local = "://" not in base
    names = []
    pending = [("", ())]
    while pending:
        folder, above = pending.pop()
        try:
            if local:
                status = os.stat(os.path.join(base, folder))
                here = (status.st_dev, status.st_ino)
                with os.scandir(os.path.join(base, folder)) as entries:
                    found = [(entry.name, _leads_to_folder(entry)) for entry in entries]
            else:
                here = folder
                found = [(entry.name, entry.is_dir()) for entry in (root / folder).iterdir()]
        except OSError as e:
            raise RequestError(f"{where}: {root / folder} cannot be listed ({e.strerror or e})") from e
        if here in above:
            raise RequestError(f"{where}: {root / folder} lies within itself, by a symbolic link")
        for name, is_folder in found:
            if name.startswith("."):
                continue
            if is_folder:
                pending.append((f"{folder}{name}/", (*above, here)))
            elif name.lower().endswith(images.SUFFIXES):
                names.append(folder + name)
    return sorted(names)


def _leads_to_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it later reports the error
        return False


def class_folders(names):
    """The classes of images by their paths, as `load` finds them: sorted names of folders, or None without classes."""
    folders = sorted({name.split("/", 1)[0] if "/" in name else "" for name in names})
    return folders if len(folders) > 1 and "" not in folders else None


def _hold_out(source, names):
    if len(names) < 2:
        raise RequestError(f"data.source '{source}': one image, expected at least 2, to train and to test")
    ranks = [int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "big") for name in names]
    test = {name for name, rank in zip(names, ranks) if rank % _HELD_OUT == 0}
    if not 0 < len(test) < len(names):  # a handful of images
        test = {min(zip(ranks, names))[1]}
    return {"train": [name for name in names if name not in test], "test": [name for name in names if name in test]}


def _read_captions(source, directory, roots):
    """{part: {image's name relative to its root: list of captions}}; None where there is no file of captions."""
    found = [part for part, root in roots.items() if (root / _CAPTIONS).exists()]
    if (directory / _CAPTIONS).exists():
        of_all = _read_lines(source, directory / _CAPTIONS)
        if "all" in roots:
            return {"all": of_all}
        inside = {part: f"{root.name}/" for part, root in roots.items()}
        return {
            part: {name.removeprefix(start): texts for name, texts in of_all.items() if name.startswith(start)}
            for part, start in inside.items()
        }
    if not found:
        return None
    if missing := roots.keys() - found:
        raise RequestError(
            f"data.source '{source}': no {_CAPTIONS} in {roots[missing.pop()]}, beside {roots[found[0]]}"
        )
    return {part: _read_lines(source, root / _CAPTIONS) for part, root in roots.items()}


def _read_lines(source, path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise RequestError(f"data.source '{source}': {path} cannot be read ({e})") from e
    texts = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"data.source '{source}': {path}, line {number}"
        try:
            row = json.loads(line)
            name, text = row["file_name"], row["text"]
        except (ValueError, TypeError, KeyError) as e:
            raise RequestError(f'{where}: expected {{"file_name": "…", "text": "…"}}, found {line[:60]!r}') from e
        if not isinstance(name, str) or not isinstance(text, str) or not words(text):
            raise RequestError(f"{where}: the caption {text!r} of {name!r}; expected a file's name, and words")
        texts.setdefault(name, []).append(text)
    return texts


def _check_captions(source, texts, names, root):
    """Raises RequestError unless there is a caption of each image, and an image to each caption."""
    told = f"data.source '{source}': {_CAPTIONS}"
    if without := [name for name in names if name not in texts]:
        raise RequestError(f"{told} has no caption of {root / without[0]}, nor of {len(without) - 1} other images")
    if extra := sorted(texts.keys() - set(names)):
        raise RequestError(f"{told} has a caption of {extra[0]!r}, and {root} holds no such image")


def _check(source, root, names, place):
    """Decodes every file once; those that TensorFlow would read wrongly become PNG files in the directory `place`.

    Returns:
        ``(damaged, orientations, converted, sides)``: ``{name: reason}``, ``{name: EXIF orientation}`` where it is not
        1, ``{name: path of the PNG file}``, and ``{name: the shorter side in pixels}`` of what is not damaged.
    """
    base = os.fspath(root)

    def read(name):
        if "://" in base:
            return (root / name).read_bytes()
        path = f"{base}/{name}"
        check_regular(path)
        with open(path, "rb", buffering=0) as file:
            return file.read()

    def look(chunk):
        found = []
        for name in chunk:
            try:
                orientation, png, side = inspect(read(name))
            except Exception as e:  # Pillow's readers raise nearly every type there is on damaged bytes
                found.append((name, damage(e), 1, None, None))
            else:
                found.append((name, None, orientation, png and write(png), side))
        return found

    def write(png):
        try:
            handle, path = tempfile.mkstemp(".png", dir=place)
            with open(handle, "wb") as file:
                file.write(png)
        except OSError as e:
            raise RequestError(f"data.source '{source}': {place}, for what is converted: {e.strerror or e}") from e
        return path

    chunks = [names[i : i + 256] for i in range(0, len(names), 256)]
    damaged, orientations, converted, sides = {}, {}, {}, {}
    # Decoders and file reads release the GIL.
    with concurrent.futures.ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1))) as pool:
        looked = pool.map(look, chunks)
        # Shown on a terminal only, and after two seconds.
        for found in tqdm(looked, "checking images", len(chunks), leave=False, delay=2, disable=None):
            damaged.update((name, why) for name, why, *_ in found if why)
            orientations.update((name, orientation) for name, _, orientation, _, _ in found if orientation != 1)
            converted.update((name, path) for name, _, _, path, _ in found if path)
            sides.update((name, side) for name, *_, side in found if side)
    return damaged, orientations, converted, sides


def damage(error):
    """What is wrong with a file, a few words, by the exception that reading it raised."""
    why = "no image" if isinstance(error, UnidentifiedImageError) else getattr(error, "strerror", None) or str(error)
    return " ".join(why.split()) or type(error).__name__


def inspect(encoded):
    """Decodes one file's bytes.

    Returns:
        ``(orientation, png, side)``: EXIF's 1 to 8; a PNG file's bytes, or None where TensorFlow reads the file as it
        is; the shorter side in pixels.

    Raises:
        Exception: Of any type; the file is damaged, or of no kind that can be read.
    """
    if not encoded:
        raise ValueError("empty")
    if encoded.startswith(b"\xff\xd8\xff"):
        # Pillow and TensorFlow silently fill in what follows damage; simplejpeg raises on libjpeg's warnings. This
        # decodes the whole file, but computes few of the pixels.
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
        simplejpeg.decode_jpeg(encoded, "CMYK" if colours in ("CMYK", "YCCK") else "GRAY", min_factor=8)
        return _orientation(encoded), None, min(height, width)
    if not encoded.startswith(b"\x89PNG"):
        png = images.as_png(encoded)
        with Image.open(io.BytesIO(encoded)) as image:
            return _orientation(encoded), png, min(image.size)
    if _PNG_END not in encoded:
        raise ValueError("ends early")
    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
        image.verify()  # checks the checksums; the pixels need another reader
    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
        image.load()
        return _orientation(encoded), None, min(image.size)


def _orientation(encoded):
    if not any(mark in encoded for mark in (b"Exif\0\0", b"eXIf", b"EXIF")):
        return 1
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            value = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF data do not make the image unreadable
        return 1
    return value if value in range(1, 9) else 1
