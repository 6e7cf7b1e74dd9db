"""Draws samples from a SavedModel, or from a server of one.

    python -m export.sample --saved_model=PATH --num=64 --seed=0 --out=FILE.png
    python -m export.sample --server=localhost:8500 --model=NAME --num=64 --seed=0 --out=FILE.png
    python -m export.sample --saved_model=PATH --label=LABEL --num=64 --seed=0 --out=FILE.png

PATH is a version's directory, or a model's, whose newest version is taken. The server is TensorFlow Serving, or the
embedded one, by its gRPC port; --version or --version_label choose a version. Sample k is that of seed ``--seed`` + k:
the same one wherever and whenever it is drawn. --label asks a generator that is told labels for one class: LABEL is its
number, 0 or more, or with --saved_model its name in the model card. What --out names decides what is written:

- images: ``FILE.png``, a grid; ``FOLDER/`` (or an existing folder), one ``seed_<seed>.png`` each, as they come;
  ``FILE.npy``, uint8 [N, H, W, C];
- points: ``FILE.png``, a plot; ``FILE.csv`` or ``FILE.npy``, float32 [N, d].

--caption="a red circle" asks a generator of captions for images of one, with --server too.

    python -m export.sample --saved_model=PATH --images=FILE --out=FILE.png
    python -m export.sample --saved_model=PATH --images=FOLDER --out=FOLDER/

A super-resolution model (`export.upscale`) makes images four times as high and wide of those given, instead of seeds.
With --server too. Of a folder each image file becomes a PNG of its name.
"""

import io

import numpy as np
from absl import flags
from etils import epath

from export import generators, upscale
from trainers import program
from zoo import grids
from zoo.captions import Tokenizer
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing
from zoo.pretrained import cards, find_saved_model
from zoo.progress import Progress

_SUFFIXES = (".png", ".npy", ".csv")
_BATCH = 64
#: Most samples that one picture shows, and bytes that one file of all of them takes; both are made in memory.
_MOST_DRAWN, _MOST_BYTES = 10_000, 4 * 2**30
#: Characters of a number with nine digits, its exponent and the comma behind it.
_CSV_BYTES = 16


def draw(generator, seeds, label=None, caption=None):
    """Examples of seeds, in batches.

    Args:
        generator: `export.generators.Generator`.
        seeds: a range.
        label: int, the class of all; the seeds decide if None.
        caption: str, the caption of all; the seeds decide if None.

    Yields:
        NumPy uint8 [n, H, W, C], or float32 [n, d].

    Raises:
        RequestError: the generator is told no labels or captions, or has no such class, or knows no word.
    """
    if label is not None and generator.sample_with_labels is None:
        raise RequestError(f"--label: {label}; the model is told no labels")
    if caption is not None and generator.sample_with_captions is None:
        raise RequestError(f"--caption: {caption!r}; the model is told no captions")
    for start in range(0, len(seeds), _BATCH):
        batch = np.asarray(seeds[start : start + _BATCH], np.int64)
        if caption is not None:
            yield _of_caption(generator, batch, caption)
        else:
            yield generator.sample(batch) if label is None else _of_class(generator, batch, label)


def _of_class(generator, seeds, label):
    import tensorflow as tf

    try:
        return generator.sample_with_labels(seeds, np.full_like(seeds, label))
    except tf.errors.InvalidArgumentError as error:
        raise RequestError(f"--label: {label}; the model has no such class") from error


def _of_caption(generator, seeds, caption):
    import tensorflow as tf

    try:
        return generator.sample_with_captions(seeds, [caption] * len(seeds))
    except tf.errors.InvalidArgumentError as error:
        raise RequestError(f"--caption: {caption!r}; the model knows none of its words") from error


def write_all(batches, num, out, first_seed=0):
    """Writes `num` samples that come in batches, as `write` would, showing progress.

    One file an image is written as it comes, so that memory does not grow and what has come is kept.

    Raises:
        RequestError: as of `write`; or one file cannot hold so many.
    """
    folder, held = _names_folder(out), None
    with Progress(num, "sampling", "sample") as progress:
        for batch in batches:
            if folder:
                write(batch, out, first_seed + progress.done)
            else:
                if held is None:
                    check_num(num, out, batch[0].size * (_CSV_BYTES if _suffix(out) == ".csv" else batch.itemsize))
                    held = np.empty((num, *batch.shape[1:]), batch.dtype)
                held[progress.done : progress.done + len(batch)] = batch
            progress.update(progress.done + len(batch))
    if not folder:
        write(held, out, first_seed)


def check_num(num, out, bytes_each=1):
    """Raises RequestError where `out` is one file, and cannot hold `num` samples of `bytes_each` bytes."""
    if _names_folder(out):
        return
    drawn = _suffix(out) == ".png"
    most = min(_MOST_BYTES // bytes_each, _MOST_DRAWN if drawn else num)
    if num > most:
        others = (
            "FOLDER/ (of images), FILE.npy and FILE.csv take more" if drawn else "FOLDER/ takes any number of images"
        )
        raise RequestError(f"--num: {num}; {out!r} takes up to {most:,} samples; {others}")


def write(samples, out, first_seed=0):
    """Writes samples as the suffix of `out` says (see this module).

    Args:
        samples: uint8 [N, H, W, C] or float32 [N, d].
        out: a file's path, or a folder's.
        first_seed: seed of the first sample, for the files' names.

    Raises:
        RequestError: such samples cannot be written so, or there.
    """
    images = samples.ndim == 4
    path = epath.Path(out).expanduser()
    folder = _names_folder(out)
    if (folder and not images) or (path.suffix == ".csv" and images):
        made, fit = ("images", "FOLDER/, .png or .npy") if images else ("points", ".png, .csv or .npy")
        raise RequestError(f"--out: {out!r} is not for {made}; expected {fit}")
    with writing("--out", path):
        (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
        if folder:
            from PIL import Image

            for seed, image in enumerate(samples, first_seed):
                picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
                write_whole(path / f"seed_{seed:08d}.png", grids.png_bytes(picture))
        elif path.suffix == ".png":
            (grids.save_grid if images else grids.save_points)(samples, path)
        elif path.suffix == ".npy":
            buffer = io.BytesIO()
            np.save(buffer, samples)
            write_whole(path, buffer.getvalue())
        else:
            buffer = io.StringIO()
            # Nine digits bring a float32 back bit for bit.
            np.savetxt(buffer, samples, fmt="%.9g", delimiter=",")
            write_whole(path, buffer.getvalue().encode())


def _suffix(out):
    return epath.Path(out).suffix


def _names_folder(out):
    return str(out).endswith("/") or epath.Path(out).expanduser().is_dir()


def check_out(out):
    """Raises RequestError unless `out` is a path that `write` knows what to do with."""
    if not out:
        raise RequestError("--out: missing; expected FILE.png, FOLDER/, FILE.npy or FILE.csv")
    if not _names_folder(out) and _suffix(out) not in _SUFFIXES:
        raise RequestError(f"--out: {out!r}; expected FILE.png, FOLDER/ (with the slash), FILE.npy or FILE.csv")


def _check_caption(card, caption):
    """Raises RequestError for a caption of words that a model card does not list, where it lists any."""
    if "signatures" in card and "sample_with_captions" not in card["signatures"]:
        raise RequestError(f"--caption: {caption!r}; the model is told no captions")
    if card.get("vocabulary"):
        Tokenizer(card["vocabulary"], card["caption_words"]).check(caption, "--caption")


def main(argv):
    del argv
    given = flags.FLAGS
    if bool(given.saved_model) == bool(given.server):
        raise RequestError(
            f"--saved_model, --server: {'both' if given.server else 'neither'} given; expected one of them"
        )
    if not given.server and any(given[name].value is not None for name in ("model", "version", "version_label")):
        raise RequestError("--model, --version, --version_label: only for --server; a --saved_model is a path")
    if given.server and not given.model:
        raise RequestError("--model: missing; --server needs the name of a model")
    pictures = None
    if given.images is None:
        check_out(given.out)
        check_num(given.num, given.out)
    else:
        for name in ("num", "seed", "label", "caption"):
            if given[name].present:
                raise RequestError(f"--{name}: {given[name].value}; only for samples of seeds, --images are given")
        pictures = upscale.plan(given.images, given.out)
    saved_model = find_saved_model(given.saved_model) if given.saved_model else None
    card = cards.read(saved_model) if saved_model else {}
    label = given.label
    if label is not None and given.caption is not None:
        raise RequestError("--label, --caption: both given; expected one of them")
    if given.caption is not None:
        _check_caption(card, given.caption)
    if label is not None:
        hint = "; a version's label is --version_label" if given.server else ""
        label = cards.class_number(card, label, "--label", hint)
    target = epath.Path(given.out).expanduser()
    check_writable(target if _names_folder(given.out) else target.parent, "--out")
    seeds = range(given.seed, given.seed + given.num)
    if saved_model:
        program.start_tensorflow()
        generator = generators.Generator.load(saved_model)
        if pictures:
            upscale.write_all(pictures, upscale.of(generator, given.saved_model), generator.data_shape[2])
        else:
            write_all(draw(generator, seeds, label, given.caption), given.num, given.out, given.seed)
    else:
        from export.serving.client import Client, check_address

        check_address(given.server)
        program.start_tensorflow()
        version = {"version": given.version, "version_label": given.version_label}
        with Client(given.server, given.model, **version, timeout=given.timeout) as client:
            if pictures:
                # It tells the channels, and whether the model upscales at all.
                held = client.predict("low_resolution", seeds=np.zeros(1, np.int64))["low_resolution"]
                upscale.write_all(pictures, client.upscale, held.shape[-1])
            else:
                write_all(client.sample(seeds, label, captions=given.caption), given.num, given.out, given.seed)
    print(given.out)


def run():
    """Console entry point."""
    flags.DEFINE_string("saved_model", None, "SavedModel: directory of a version or a model, or zoo:NAME.")
    flags.DEFINE_string("server", None, "Or HOST:PORT of a server's gRPC API.")
    flags.DEFINE_string("model", None, "With --server: the model's name.")
    flags.DEFINE_integer("version", None, "With --server: the model's version; the newest if not given.", 0)
    flags.DEFINE_string("version_label", None, "With --server: a label of a version.")
    flags.DEFINE_string("label", None, "Class of all samples: its number or name, with --server its number.")
    flags.DEFINE_string("caption", None, "Caption of all samples, for a model of captions.")
    flags.DEFINE_string("images", None, "Of a super-resolution model: image or folder of images to upscale, not seeds.")
    flags.DEFINE_float("timeout", 60.0, "With --server: seconds for one batch, its retries included.", 0.001)
    flags.DEFINE_integer("num", 64, "Number of samples; FILE.png takes up to 10,000.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the first sample; the following ones count up.", 0, 2**62)
    flags.DEFINE_string("out", None, "FILE.png: grid or plot; FOLDER/: one file an image; FILE.npy; FILE.csv: points.")
    program.run(main)


if __name__ == "__main__":
    run()
