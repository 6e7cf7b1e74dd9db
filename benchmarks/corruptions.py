"""Each metric of images on eight corruptions of real images at five strengths: does it change with them, and one way?

    python -m benchmarks.corruptions --data=idx:/usr/share/datasets/fashion-mnist

Writes docs/corruptions.json, every value, and docs/corruptions.png, and prints what is not monotone. The samples are
training images that the evaluation does not compare with, made worse; three further draws of them, unspoilt, tell how
far a value moves by chance.
"""

import dataclasses
import io
import json
import pathlib

import numpy as np
from absl import flags
from PIL import Image
from scipy import ndimage

from export.evaluation import image_metrics
from export.evaluation.context import ImageContext
from export.generators import Generator
from trainers import program
from zoo import datasets
from zoo.files import write_whole
from zoo.pixels import to_uint8
from zoo.progress import Progress

_CLEAN_DRAWS = 3
#: Standard deviations of chance that a value has to move to count as a response, and may move back in a step.
_RESPONSE, _STEP_BACK = 4.0, 2.0
_REPEATED, _BLOCKS = 10, 4


@dataclasses.dataclass
class Drawn:
    """Images uint8 [N, H, W, C] with their labels int64 [N], and what they are made worse with: `copies`, images and
    labels that the evaluation compares with, and `others`, further unspoilt ones."""

    images: np.ndarray
    labels: np.ndarray
    copies: tuple
    others: tuple


def noise(drawn, deviation, rng):
    spoilt = drawn.images + deviation * rng.normal(size=drawn.images.shape)
    return np.clip(np.rint(spoilt), 0, 255).astype(np.uint8), drawn.labels


def blur(drawn, deviation, rng):
    spoilt = ndimage.gaussian_filter(drawn.images.astype(np.float32), (0, deviation, deviation, 0))
    return np.rint(spoilt).astype(np.uint8), drawn.labels


def jpeg(drawn, quality, rng):
    def compressed(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(drawn.images, compressed), drawn.labels


def crop(drawn, share, rng):
    """Enlarges the middle part, so many of an image's height and width."""

    def enlarged(image):
        width, height = image.size
        left, top = (0.5 * (1.0 - share) * size for size in image.size)
        return image.resize(image.size, Image.Resampling.BILINEAR, (left, top, width - left, height - top))

    return _each(drawn.images, enlarged), drawn.labels


def swap(drawn, times, rng):
    """Exchanges two of 4×4 blocks of an image, so many times."""
    images = drawn.images.copy()
    height, width = (size // _BLOCKS for size in images.shape[1:3])
    for image in images:
        for _ in range(times):
            first, second = (divmod(place, _BLOCKS) for place in rng.choice(_BLOCKS**2, 2, replace=False))
            one, two = (
                (slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width))
                for row, column in (first, second)
            )
            image[one], image[two] = image[two].copy(), image[one].copy()
    return images, drawn.labels


def class_dropped(drawn, share, rng):
    """Images of the first class are replaced by others of the rest, so many of them."""
    members = np.flatnonzero(drawn.labels == 0)
    places = members[: round(share * len(members))]
    rest = np.flatnonzero(drawn.others[1] != 0)[: len(places)]
    return _replaced(drawn, places, drawn.others[0][rest], drawn.others[1][rest])


def duplicates(drawn, share, rng):
    """So many samples are repetitions of ten."""
    places = np.arange(len(drawn.images) - round(share * len(drawn.images)), len(drawn.images))
    repeated = rng.integers(_REPEATED, size=len(places))
    return _replaced(drawn, places, drawn.images[repeated], drawn.labels[repeated])


def train_copies(drawn, share, rng):
    """So many samples are training images that the evaluation compares with."""
    places = np.arange(round(share * len(drawn.images)))
    return _replaced(drawn, places, drawn.copies[0][places], drawn.copies[1][places])


def _each(images, function):
    channels = images.shape[-1]
    made = [np.asarray(function(Image.fromarray(image[..., 0] if channels == 1 else image))) for image in images]
    return np.stack(made).reshape(images.shape)


def _replaced(drawn, places, images, labels):
    spoilt, of_spoilt = drawn.images.copy(), drawn.labels.copy()
    spoilt[places], of_spoilt[places] = images, labels
    return spoilt, of_spoilt


#: Corruption → its five strengths, from the weakest on.
CORRUPTIONS = {
    noise: (5.0, 10.0, 20.0, 40.0, 80.0),
    blur: (0.4, 0.6, 0.9, 1.3, 2.0),
    jpeg: (60, 30, 15, 8, 3),
    crop: (0.96, 0.9, 0.82, 0.72, 0.6),
    swap: (1, 2, 3, 5, 8),
    class_dropped: (0.2, 0.4, 0.6, 0.8, 1.0),
    duplicates: (0.1, 0.2, 0.4, 0.7, 0.95),
    train_copies: (0.1, 0.2, 0.4, 0.7, 1.0),
}


class _Spoilt(ImageContext):
    """A context whose samples are given images, with the held-out and training images of another."""

    def __init__(self, base, images, labels):
        generator = Generator(
            lambda seeds: images[seeds],
            None,
            0,
            images.shape[1:],
            0,
            labels=lambda seeds: labels[seeds],
            sample_with_labels=lambda seeds, _: images[seeds],
        )
        super().__init__(base.extractor, generator, base.data, num_samples=len(images))
        self.held_out, self.training = base.held_out, base.training
        # What is computed of these is kept for all; `base` must outlive this, since the keys are objects' identities.
        self._results, self._labels = base._results, base._labels


def values(context):
    """{name: value} of all metrics that apply, NaN where there is none."""
    return {row.name: float(row.value(context, context.samples)) for row in image_metrics.METRICS if row.needs(context)}


def on_scale(name, series, chance):
    """A metric's values and their chance, where they are to be compared: the size of a support in its logarithm."""
    if name != "birthday_paradox":
        return series, chance
    return np.log(series), chance / series[0] if np.isfinite(series[0]) else 0.0


def verdict(series, chance, better):
    """What a metric makes of a corruption: "worse", "better", "not monotone" or "no response".

    Args:
        series: its values, from unspoilt images to the strongest corruption.
        chance: standard deviation of the value over draws of unspoilt images.
        better: which values are better, as of `Metric`.
    """
    series = np.asarray(series, np.float64)
    # An unbounded value, a support without duplicates, is more than any that was seen.
    bounded = series[np.isfinite(series)]
    series = np.where(np.isposinf(series), 10.0 + np.max(bounded, initial=1.0), series)
    if not np.isfinite(series).all():
        return "not monotone"
    if better == "one":
        series = -np.abs(np.log(np.maximum(series, 1e-9)))
    gains = -series if better == "lower" else series
    if np.ptp(gains) < max(_RESPONSE * chance, 1e-9):
        return "no response"
    steps = np.diff(gains)
    if (steps <= _STEP_BACK * chance).all():
        return "worse"
    return "better" if (steps >= -_STEP_BACK * chance).all() else "not monotone"


def measure(data, extractor, num):
    """The table that docs/corruptions.json holds, a dict."""
    base = ImageContext(extractor, Generator(None, None, 0, data.data_shape, 0), data, num_samples=num)
    # Labels of held-out and training images are read whatever the generator is told.
    compared = {image.tobytes() for image in base.training.pixels}
    x, y = data.arrays("train", min(data.num_examples("train"), 12 * num))
    x = to_uint8(x)
    free = np.flatnonzero([image.tobytes() not in compared for image in x])
    free = np.random.default_rng(0).permutation(free)
    parts = [(x[part], y[part]) for part in np.split(free[: num * (_CLEAN_DRAWS + 2)], _CLEAN_DRAWS + 2)]
    copies = base.training.pixels, base.labels(base.training)
    drawn = Drawn(*parts[0], copies, parts[1])
    kept, found = [], {}
    total = _CLEAN_DRAWS + 1 + sum(map(len, CORRUPTIONS.values()))
    with Progress(total, "corruptions", "setting") as progress:

        def of(images, labels):
            kept.append(_Spoilt(base, images, labels))
            progress.update(progress.done + 1)
            return values(kept[-1])

        clean = of(*parts[0])
        others = [clean, *(of(*part) for part in parts[2:])]
        for corruption, strengths in CORRUPTIONS.items():
            rows = [of(*corruption(drawn, strength, np.random.default_rng(1))) for strength in strengths]
            found[corruption.__name__] = {name: [clean[name], *(row[name] for row in rows)] for name in clean}
    better = {row.name: row.better for row in image_metrics.METRICS}
    # Where an unspoilt draw has no finite value, chance has no bound.
    with np.errstate(invalid="ignore"):
        chance = {name: float(np.nan_to_num(np.std([draw[name] for draw in others], ddof=1))) for name in clean}
    return {
        "data": data.name,
        "features": extractor.name,
        "num_samples": num,
        "strengths": {corruption.__name__: list(strengths) for corruption, strengths in CORRUPTIONS.items()},
        "metrics": {
            name: {
                "better": better[name],
                "chance": chance[name],
                "values": {corruption: of_it[name] for corruption, of_it in found.items()},
                "verdicts": {
                    corruption: verdict(*on_scale(name, of_it[name], chance[name]), better[name])
                    for corruption, of_it in found.items()
                },
            }
            for name in clean
        },
    }


_COLOURS = {"worse": "#2a7f62", "better": "#c8553d", "not monotone": "#e0a030", "no response": "#9a9a9a"}


def figure(table):
    """A row for each metric, a column for each corruption: values over the strength, between the row's ends.

    Returns:
        Encoded PNG.
    """
    from matplotlib.figure import Figure

    metrics, corruptions = table["metrics"], list(table["strengths"])
    drawing = Figure(figsize=(11.0, 0.42 * len(metrics) + 1.0), dpi=110)
    axes = drawing.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    axes.set(xlim=(-2.6, len(corruptions) + 0.1), ylim=(len(metrics) + 0.9, -1.0))
    for column, corruption in enumerate(corruptions):
        axes.text(column + 0.4, -0.45, corruption.replace("_", " "), fontsize=9, ha="center")
    for row, (name, metric) in enumerate(metrics.items()):
        finite = np.array([value for series in metric["values"].values() for value in series], float)
        finite = finite[np.isfinite(finite)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        axes.text(-0.55, row + 0.5, name.replace("_", " "), fontsize=8.5, ha="right", va="center")
        for end, height in ((high, 0.22), (low, 0.82)):
            axes.text(-0.06, row + height, f"{end:.3g}", fontsize=6.5, ha="right", va="center", color="#707070")
        axes.axhline(row, color="#dddddd", linewidth=0.6)
        for column, corruption in enumerate(corruptions):
            series = np.array(metric["values"][corruption], float)
            places = column + 0.05 + 0.7 * np.arange(len(series)) / (len(series) - 1)
            heights = row + 0.88 - 0.76 * (series - low) / (high - low if high > low else 1.0)
            colour = _COLOURS[metric["verdicts"][corruption]]
            axes.plot(places, heights, color=colour, marker="o", markersize=2.4, linewidth=1.5)
    for place, (label, colour) in enumerate(_COLOURS.items()):
        left, height = 1.6 * place, len(metrics) + 0.5
        axes.plot([left, left + 0.3], [height, height], color=colour, linewidth=2.5)
        axes.text(left + 0.38, height, label, fontsize=9, va="center")
    file = io.BytesIO()
    drawing.savefig(file, format="png", facecolor="white")
    return file.getvalue()


def main(argv):
    del argv
    given = flags.FLAGS
    data = datasets.load(given.data)
    program.start_tensorflow()
    from export.metrics.features import features_for

    table = measure(data, features_for(data), given.num_samples)
    out = pathlib.Path(given.out)
    # JSON has no values that are not finite.
    text = json.dumps(table, indent=1).replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
    write_whole(out.with_suffix(".json"), (text + "\n").encode())
    write_whole(out.with_suffix(".png"), figure(table))
    for name, metric in table["metrics"].items():
        for told in ("not monotone", "better"):
            of_it = [corruption for corruption, what in metric["verdicts"].items() if what == told]
            if of_it:
                print(f"{name}: {told} under {', '.join(of_it)}")
    print(out.with_suffix(".png"))


if __name__ == "__main__":
    flags.DEFINE_string("data", "idx:/usr/share/datasets/fashion-mnist", "Labelled images.")
    flags.DEFINE_integer("num_samples", 1000, "Images of each set.", 100)
    flags.DEFINE_string("out", "docs/corruptions", "The figure and its numbers, to this name in .png and .json.")
    program.run(main)
