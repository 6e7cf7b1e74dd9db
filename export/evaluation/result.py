"""What an evaluation gives, before it is written."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Evaluation:
    """Numbers and pictures; the dicts are in the format of `export.report`.

    Attributes:
        num_samples, num_reference: generated and held-out examples.
        metrics: {name: metric}.
        classes: list, or None where the data has neither classes nor modes.
        classes_of: "class" or "mode".
        sections: {name: section}.
        notes: list of str.
        samples: uint8 images [≤ 64, H, W, C], or float32 points [N, d], of the first seeds.
        reference: held-out examples of that kind.
        samples_by_class: {class' name: examples} to show in the samples' place, where the generator is told labels (or
            captions, by caption):
            images [8, H, W, C] of the same seeds under each of up to ten classes, or the points that were made for
            each. None of any other generator.
        features: the extractor's metadata, or None.
        pairs: {"copies": samples and the training images nearest to them, "duplicates": samples nearest to one
            another}, lists of `export.evaluation.neighbours.Pair` from the nearest on; None of points.
        codes: list, or None where the generator has no latent codes.
        interpolations: list of uint8 [8, H, W, C], images on great circles between the latents of two seeds, or None.
        traversals: {row's name: uint8 images [10, H, W, C]} that differ in one code, or None.
    """

    num_samples: int
    num_reference: int
    metrics: dict
    classes: list | None
    classes_of: str
    sections: dict
    notes: list
    samples: np.ndarray
    reference: np.ndarray
    samples_by_class: dict | None = None
    features: dict | None = None
    pairs: dict | None = None
    codes: list | None = None
    interpolations: list | None = None
    traversals: dict | None = None
