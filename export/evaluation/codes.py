"""Latent codes of a generator: what its examples tell of each, what each changes, and the classes that one stands for.

Chen et al. 2016, "InfoGAN". For runs whose generator is a `zoo.CodedGenerator`; their model's `posterior` reads the
codes off examples.
"""

import math

import numpy as np

from export.evaluation.metric import Metric, samples_alone
from export.metrics.intervals import mean_interval, share_interval
from zoo.pixels import to_uint8

_BATCH = 256
#: Rows of a code's traversal, each with its own latents, and columns, its values.
_ROWS, _COLUMNS = 2, 10
#: Most training examples that classes are assigned to codes by.
_FITTED = 10_000
#: End of a continuous code's traversal.
_END = 0.95


def has_codes(context):
    """Whether the run's generator has codes that can be read off examples."""
    from zoo.codes import CodedGenerator

    return isinstance(getattr(getattr(context.run, "model", None), "sampler", None), CodedGenerator)


def _in_batches(function, rows):
    parts = [function(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
    return [np.concatenate(part) for part in zip(*parts)]


def _of_each(context, examples):
    """log Q(c|x) + H(c) of each sample in nats, {name of the code: float [N]}; `examples` are the context's samples."""
    from zoo.codes import information

    model = context.run.model
    generator, scale = model.sampler, model.scale
    categories, continuous = generator.categories, generator.continuous
    ends = np.cumsum((0, *categories))

    def informed(seeds):
        latents = model.latents(seeds)
        posterior = model.posterior(model.sampler(latents, training=False))
        chosen, values = generator.codes(latents)
        found = []
        for code, size in enumerate(categories):
            logits = posterior[:, ends[code] : ends[code + 1]]
            found.append(information(logits, chosen[:, code : code + 1], values[:, :0], (size,), 1.0)[0])
        for code in range(continuous):
            columns = [ends[-1] + code] if scale else [ends[-1] + code, ends[-1] + continuous + code]
            parameters = np.take(posterior, columns, axis=1)
            found.append(information(parameters, chosen[:, :0], values[:, code : code + 1], (), scale)[1])
        return [np.asarray(each, np.float64) for each in found]

    return dict(zip(names(generator), _in_batches(informed, context.seeds)))


def names(generator):
    """A name for each code, in order."""
    of_categorical = [f"categorical code {code + 1}" for code in range(len(generator.categories))]
    return [*of_categorical, *(f"continuous code {code + 1}" for code in range(generator.continuous))]


def entropies(generator):
    """H(c) of each code, in nats, in order: the most that examples can tell of it, if it is categorical."""
    return [*map(math.log, generator.categories), *([math.log(2.0)] * generator.continuous)]


def described(context):
    """The report's "codes", a list; None where there are none."""
    if not has_codes(context):
        return None
    generator = context.run.model.sampler
    found = context.once(_of_each, context.samples)
    intervals = [mean_interval(values) for values in found.values()]
    values = [*generator.categories, *[None] * generator.continuous]
    return [
        {
            "name": name,
            "values": size,
            "information": interval.value,
            "interval": [interval.low, interval.high],
            "entropy": entropy,
        }
        for name, size, interval, entropy in zip(found, values, intervals, entropies(generator))
    ]


def traversals(context):
    """Images of the same latents but for one code, a row of images each, two rows a code.

    Returns:
        {name of a row: uint8 [10, H, W, C]}; None for points, and where there are no codes. A categorical code's
        columns are its first values, blank where it has fewer; a continuous code's go from -0.95 to 0.95.
    """
    if not has_codes(context) or len(context.data.data_shape) == 1:
        return None
    model, rows = context.run.model, {}
    for code, name in enumerate(names(model.sampler)):
        categorical = code < len(model.sampler.categories)
        count = min(_COLUMNS, model.sampler.categories[code]) if categorical else _COLUMNS
        values = np.arange(count) if categorical else np.linspace(-_END, _END, count)
        for row in range(_ROWS):
            latents = np.repeat(model.latents(context.seeds[row : row + 1]), count, axis=0)
            images = to_uint8(model.sampler(model.sampler.latents_with(latents, code, values), training=False)).numpy()
            blank = np.full((_COLUMNS - count, *images.shape[1:]), 255, np.uint8)
            rows[name if row == 0 else " " * (row + len(rows))] = np.concatenate([images, blank])
    return rows


def _total(context, examples):
    """The sum over categorical codes of log Q(c|x) + H(c) of each sample, [N]."""
    of_codes = list(context.once(_of_each, examples).values())
    return np.sum(of_codes[: len(context.run.model.sampler.categories)], axis=0)


def _clustering(context, examples):
    """Whether the classes of held-out examples are those that their codes stand for, bool [N].

    Each value of the first categorical code stands for one class, the assignment that agrees most on training examples.
    """
    from scipy.optimize import linear_sum_assignment

    model, data = context.run.model, context.data
    size, available = model.sampler.categories[0], data.num_examples("train") or _FITTED
    fitted, fitted_labels = data.arrays("train", min(available, _FITTED))
    held_out, labels = data.arrays("test", context.num_samples)

    def read(x):
        return [np.argmax(model.posterior(x)[:, :size], axis=1)]

    counts = np.zeros((size, data.num_classes))
    np.add.at(counts, (_in_batches(read, fitted)[0], fitted_labels), 1)
    assigned = np.full(size, -1)
    codes, classes = linear_sum_assignment(-counts)
    assigned[codes] = classes
    return assigned[_in_batches(read, held_out)[0]] == labels


def _has_categorical(context):
    return has_codes(context) and bool(context.run.model.sampler.categories)


def _about_information(context):
    most = sum(map(math.log, context.run.model.sampler.categories))
    return (
        "E log Q(c|x) + H(c) of the categorical codes, in nats: a lower bound of what samples tell of them, at most "
        f"H(c) = {most:.4g}."
    )


#: Metrics of generators with codes, of images and of points.
METRICS = (
    Metric(
        "mutual_information",
        "higher",
        _about_information,
        value=lambda context, examples: _total(context, examples).mean(),
        interval=lambda context, examples: mean_interval(_total(context, examples)),
        needs=_has_categorical,
        counts=samples_alone,
        of_real=False,
    ),
    Metric(
        "clustering_accuracy",
        "higher",
        "Share of held-out examples whose class is the one that their categorical code stands for, by the assignment "
        "of codes to classes that agrees most on training examples.",
        value=lambda context, examples: context.once(_clustering, examples).mean(),
        interval=lambda context, examples: _share(context.once(_clustering, examples)),
        needs=lambda context: _has_categorical(context) and context.data.num_classes is not None,
        counts=lambda context: (0, len(context.once(_clustering, context.samples))),
        of_real=False,
    ),
)


def _share(right):
    return share_interval(right.mean(), len(right))
