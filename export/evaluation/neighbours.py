"""Nearest neighbours of samples: training examples that they copy, and one another.

`context` is an `export.evaluation.context.Context`; distances are those of the features of images, or of points.
"""

import dataclasses

import numpy as np

from export.evaluation.context import features_of
from export.evaluation.metric import Metric, samples_alone
from export.metrics.birthday import duplicate_pairs, duplicate_threshold
from export.metrics.copies import CopyDetection, nearest_examples

#: Most samples whose pairs are compared.
_PAIRED = 10_000
#: Pairs that a report shows.
_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Pair:
    """A sample and what it is near to.

    Attributes:
        seed: of the sample.
        other: the other sample's seed, or the training example's index among `context.training`.
        distance: between them.
        examples: uint8 images [2, H, W, C], or points [2, d], the sample first; None where its pixels are not kept.
    """

    seed: int
    other: int
    distance: float
    examples: np.ndarray | None


def _nearest_training(context, examples):
    return nearest_examples(features_of(examples), features_of(context.training))


def copies(context):
    """`export.metrics.copies.CopyDetection` of the samples."""
    of_samples, of_held_out = (
        context.once(_nearest_training, examples)[0] for examples in (context.samples, context.held_out)
    )
    return CopyDetection(of_samples, of_held_out)


def copies_among_held_out(context):
    """The same of every other held-out example in the samples' place: what new examples of the data reach."""
    distances, _ = context.once(_nearest_training, context.held_out)
    return CopyDetection(distances[::2], distances[1::2])


def closest_copies(context):
    """The samples that are nearest to a training example, `Pair`s from the nearest on."""
    distances, indices = context.once(_nearest_training, context.samples)
    return [
        Pair(
            int(context.seeds[index]),
            int(indices[index]),
            float(distances[index]),
            _side_by_side((context.samples, index), (context.training, indices[index])),
        )
        for index in np.argsort(distances, kind="stable")[:_SHOWN]
    ]


def _threshold(context, examples):
    return duplicate_threshold(features_of(examples)[:_PAIRED])


def _duplicates(context, examples):
    threshold = context.once(_threshold, context.held_out)
    return duplicate_pairs(features_of(examples)[:_PAIRED], threshold, _SHOWN)


def duplicates(context, examples):
    """`export.metrics.birthday.DuplicatePairs` of examples; duplicates are as near as 1 % of the held-out ones are."""
    return context.once(_duplicates, examples)


def closest_duplicates(context):
    """The samples that are nearest to one another, `Pair`s from the nearest on."""
    found = duplicates(context, context.samples)
    return [
        Pair(
            *(int(context.seeds[index]) for index in pair),
            float(distance),
            _side_by_side(*((context.samples, index) for index in pair)),
        )
        for pair, distance in zip(found.closest, found.closest_distances)
    ]


def _side_by_side(*places):
    shown = [getattr(examples, "pixels", examples) for examples, _ in places]
    if any(index >= len(examples) for examples, (_, index) in zip(shown, places)):
        return None
    return np.stack([examples[index] for examples, (_, index) in zip(shown, places)])


def _about_copies(context):
    return (
        f"Share of samples as near to one of {len(context.training):,} training images as the nearest 1 % of held-out "
        f"images are; {copies(context).honest_share:.2%} is expected of new images."
    )


def _about_support(context):
    found = duplicates(context, context.samples)
    return (
        f"Size of the support by the near-duplicates among {len(found.degrees):,} samples: those as near to one "
        "another as 1 % of as many held-out examples are to their nearest (Arora & Zhang 2017), here "
        f"{found.count} pairs."
    )


COPIES = (
    Metric(
        "copied_share",
        "lower",
        _about_copies,
        value=lambda context, examples: copies(context).copied_share,
        interval=lambda context, examples: copies(context).share_interval(),
        real=lambda context: copies_among_held_out(context).copied_share,
    ),
    Metric(
        "training_distance_ratio",
        "one",
        "Mean distance of samples to their nearest training image, in proportion to that of held-out images; below 1 "
        "where training images are copied, above where samples lie off the data.",
        value=lambda context, examples: copies(context).distance_ratio,
        interval=lambda context, examples: copies(context).ratio_interval(),
        real=lambda context: copies_among_held_out(context).distance_ratio,
    ),
)
BIRTHDAY = Metric(
    "birthday_paradox",
    "higher",
    _about_support,
    value=lambda context, examples: duplicates(context, examples).support_size,
    interval=lambda context, examples: duplicates(context, examples).interval(),
    counts=lambda context: (min(_PAIRED, samples_alone(context)[0]), min(_PAIRED, context.num_samples)),
)
