"""Draws samples from a SavedModel.

    python -m export.sample --saved_model=PATH --num=64 --seed=0 --out=FILE.png

PATH is a version's directory, or a model's, whose newest version is taken. Sample k is that of seed ``--seed`` + k: the
same one wherever and whenever it is drawn. What --out names decides what is written:

- images: ``FILE.png``, a grid; ``FOLDER/`` (or an existing folder), one ``seed_<seed>.png`` each; ``FILE.npy``, uint8
  [N, H, W, C];
- points: ``FILE.png``, a plot; ``FILE.csv`` or ``FILE.npy``, float32 [N, d].
"""

import io
import os

import numpy as np
from absl import flags
from etils import epath
from tqdm import tqdm

from export import saved_model
from trainers import program
from zoo import grids
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole

_SUFFIXES = (".png", ".npy", ".csv")
_BATCH = 64


def draw(generator, num, first_seed, progress=False):
    """Examples of seeds first_seed, first_seed + 1, …

    Args:
        generator: `export.saved_model.Generator`.
        num: how many, ≥ 1.
        first_seed: int64.
        progress: whether to show a bar on a terminal.

    Returns:
        NumPy uint8 [num, H, W, C], or float32 [num, d].
    """
    starts = range(0, num, _BATCH)
    # disable=None: a bar on a terminal, nothing in a log.
    pieces = [
        generator.sample(np.arange(start, min(start + _BATCH, num)) + first_seed)
        for start in tqdm(starts, "sampling", unit="batch", disable=None if progress else True)
    ]
    return np.concatenate(pieces)


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
    try:
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
    except OSError as error:
        raise RequestError(f"--out: {out!r} cannot be written ({error.strerror or error})") from error


def _names_folder(out):
    return str(out).endswith("/") or epath.Path(out).expanduser().is_dir()


def check_out(out):
    """Raises RequestError unless `out` is a path that `write` knows what to do with."""
    if not out:
        raise RequestError("--out: missing; expected FILE.png, FOLDER/, FILE.npy or FILE.csv")
    if not _names_folder(out) and epath.Path(out).suffix not in _SUFFIXES:
        raise RequestError(f"--out: {out!r}; expected FILE.png, FOLDER/ (with the slash), FILE.npy or FILE.csv")


def main(argv):
    del argv
    path, num, seed, out = (flags.FLAGS[name].value for name in ("saved_model", "num", "seed", "out"))
    if not path:
        raise RequestError("--saved_model: missing; see --help")
    check_out(out)
    saved_model.find_saved_model(path)
    target = epath.Path(out).expanduser()
    check_writable(target if _names_folder(out) else target.parent, "--out")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    generator = saved_model.Generator.load(path)
    write(draw(generator, num, seed, progress=True), out, seed)
    print(out)


def run():
    """Console entry point."""
    flags.DEFINE_string("saved_model", None, "SavedModel: a version's directory, or a model's (its newest version).")
    flags.DEFINE_integer("num", 64, "Number of samples.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the first sample; the following ones count up.", 0, 2**62)
    flags.DEFINE_string("out", None, "FILE.png: grid or plot; FOLDER/: one file an image; FILE.npy; FILE.csv: points.")
    program.run(main)


if __name__ == "__main__":
    run()
