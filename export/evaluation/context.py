"""What an evaluation rests on, each part computed once: samples, held-out and training examples, and their features."""

import abc
import copy
import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np
from absl import logging

from export.metrics import real_features
from export.metrics.frechet import GaussianStatistics
from export.metrics.restoration import low_resolution
from zoo import grids
from zoo.noise import Noise, great_circle
from zoo.pixels import to_uint8
from zoo.progress import Progress

_BATCH = real_features.BATCH
#: Most bytes of pixels of a set that are kept, for metrics of pixels.
_PIXELS_BYTES = 32 * 2**20
#: How many images, and points, a report shows.
_SHOWN, _SHOWN_POINTS = real_features.SHOWN, 2000
#: Rows of interpolated images that it shows, and images in each.
_INTERPOLATED, _BETWEEN = 5, 8


class Context(abc.ABC):
    """A generator beside its data, for metrics and verdicts to look at.

    Its sets of examples are drawn or read when first asked for, and kept. A metric that needs something else of them
    computes it by `once`, so that metrics can share it.

    Args:
        generator: `export.generators.Generator`.
        data: `zoo.datasets.Dataset` of the same shape.
        num_samples: how many examples each set has.
        first_seed: seed of the first sample.
        untrained: the `Generator` before its first step, or None.
        run: the `trainers.build.Run` that the generator is from, or None where it is from a SavedModel: for what needs
            the critic, the config or the dynamics.
        surrogate_tasks: whether imputation and denoising are measured, which take longer than other metrics.
    """

    def __init__(self, generator, data, *, num_samples, first_seed=0, untrained=None, run=None, surrogate_tasks=False):
        self.surrogate_tasks = surrogate_tasks
        self.generator, self.data, self.run = generator, data, run
        self.num_samples, self.first_seed = num_samples, first_seed
        self._untrained = untrained
        self._results, self._labels = {}, {}

    @functools.cached_property
    def samples(self):
        """Samples of the seeds first_seed, first_seed + 1, …"""
        return self._drawn(self.generator, "samples")

    @functools.cached_property
    def held_out(self):
        """Test examples, as many as samples."""
        return self._labelled(*self._read("test"))

    @functools.cached_property
    def training(self):
        """Training examples, as many as samples where there are so many. They take the samples' place once, to show
        where a perfect generator lands."""
        return self._labelled(*self._read("train"))

    @functools.cached_property
    def untrained(self):
        """Samples of the untrained generator, of the same seeds; None where there is none."""
        return self._drawn(self._untrained, "samples of the untrained generator") if self._untrained else None

    def labels(self, examples):
        """The class that each of a set of examples is of: that it was made for, or that the data has it in.

        Args:
            examples: one of this context's sets.

        Returns:
            int64 [N], or None where the generator is told no labels, or the data has none.
        """
        return self._labels[id(examples)]

    def once(self, function, sample):
        """The result of function(self, sample), computed when first asked for.

        Args:
            function: any function, the same object each time.
            sample: one of this context's sets of examples.
        """
        key = function, id(sample)
        if key not in self._results:
            self._results[key] = function(self, sample)
        return self._results[key]

    def anew(self):
        """A context of the same data whose samples are drawn anew, once the generator's weights have changed."""
        fresh = copy.copy(self)
        for drawn in ("samples", "untrained"):
            fresh.__dict__.pop(drawn, None)
        real = {id(self.__dict__[name]) for name in ("held_out", "training") if name in self.__dict__}
        fresh._results = {key: result for key, result in self._results.items() if key[1] in real}
        fresh._labels = {key: labels for key, labels in self._labels.items() if key in real}
        return fresh

    @property
    @abc.abstractmethod
    def shown(self):
        """(samples, held-out examples) for a report to show, NumPy arrays."""

    @property
    def shown_by_class(self):
        """Samples for a report to show, {class' name or caption: NumPy array}; None where neither is told."""
        if self.generator.captions is not None:
            seeds, captions, names = grids.caption_rows(self.generator.captions(self.seeds), self.first_seed)
            examples = self.generator.sample_with_captions(seeds, captions)
            return dict(zip(names, np.split(examples, len(names))))
        if self.generator.labels is None:
            return None
        examples, labels = self._to_show_by_class()
        names = dict(enumerate(self.class_names))
        return {names.get(label, str(label)): examples[labels == label] for label in np.unique(labels).tolist()}

    @property
    def interpolations(self):
        """Images between the latents of two seeds for a report to show, a list of uint8 [8, H, W, C]; None of points,
        and of a generator that takes images."""
        return None

    @property
    def class_names(self):
        """Text for each class, as `DataSpec.display_names` has it."""
        return self.data.spec.display_names

    @abc.abstractmethod
    def prepare(self):
        """Draws and reads the sets of examples, showing progress, and returns them."""

    @property
    def seeds(self):
        """Seeds of the samples, int64 [N]."""
        return np.arange(self.num_samples) + self.first_seed

    def _drawn(self, generator, what):
        labels = None if generator.labels is None else generator.labels(self.seeds)
        return self._labelled(self._draw(generator, what), labels)

    def _labelled(self, examples, labels):
        self._labels[id(examples)] = labels
        return examples

    @abc.abstractmethod
    def _draw(self, generator, what):
        """Examples of a generator; `what` they are called where progress is shown."""

    @abc.abstractmethod
    def _to_show_by_class(self):
        """Samples of a generator that is told labels, and the label of each, for `shown_by_class`."""

    @abc.abstractmethod
    def _read(self, split):
        """Examples of the data, and their labels, int64 [N] or None."""


def features_of(examples):
    """What distances between examples are taken of, [N, d]: points themselves, or the features of images."""
    return examples.features if isinstance(examples, Images) else examples


class PointContext(Context):
    """A context whose sets are points: NumPy arrays [N, d]."""

    @property
    def shown(self):
        return self.samples[:_SHOWN_POINTS], self.held_out[:_SHOWN_POINTS]

    def _to_show_by_class(self):
        return self.samples[:_SHOWN_POINTS], self.labels(self.samples)[:_SHOWN_POINTS]

    def prepare(self):
        logging.info("Drawing %d samples and as many held-out points", self.num_samples)
        return self.samples, self.held_out, self.training, self.untrained

    def _draw(self, generator, what):
        return generator.sample(self.seeds)

    def _read(self, split):
        return self.data.arrays(split, self.num_samples)


@dataclasses.dataclass(eq=False)
class Images:
    """Images as an extractor sees them.

    Attributes:
        features: float32 [N, d].
        logits: float32 [N, K], its classifier's.
        shown: uint8 [≤ 64, H, W, C], the first ones themselves, for a report to show.
        read: function without arguments → `pixels`.
    """

    features: np.ndarray
    logits: np.ndarray
    shown: np.ndarray
    read: Callable

    def __len__(self):
        return len(self.features)

    @functools.cached_property
    def pixels(self):
        """uint8 [≤ N, H, W, C], the first ones themselves: all of them up to 32 MiB, at least 64."""
        return self.read()

    @functools.cached_property
    def gaussian(self):
        """`GaussianStatistics` of the features."""
        return GaussianStatistics.from_features(self.features)

    @functools.cached_property
    def classes(self):
        """The most likely class of each, int [N]."""
        return self.logits.argmax(axis=1)


class ImageContext(Context):
    """A context whose sets are `Images`, all of them uint8 pixels in the eyes of one extractor.

    Args:
        extractor: `export.metrics.feature_extractor.FeatureExtractor`.
        generator, data, options: as of `Context`.
    """

    def __init__(self, extractor, generator, data, **options):
        super().__init__(generator, data, **options)
        self.extractor = extractor

    @property
    def interpolations(self):
        if self.generator.upscale is not None or self.generator.generate is None:
            return None
        ends = Noise.of_seeds(self.first_seed + np.arange(_INTERPOLATED + 1)).latents(self.generator.latent_dim)
        ends = np.asarray(ends, np.float64)
        made = (self.generator.generate(great_circle(one, two, _BETWEEN)) for one, two in itertools.pairwise(ends))
        return [each if each.dtype == np.uint8 else to_uint8(np.asarray(each, np.float32)) for each in made]

    @property
    def class_names(self):
        known = self.extractor.class_names if self.extractor.knows_classes_of(self.data) else None
        return self.data.class_names or known or super().class_names

    @property
    def shown(self):
        return self.samples.shown, self.held_out.shown

    def _to_show_by_class(self):
        seeds, labels = grids.class_rows(np.unique(self.labels(self.samples)), self.first_seed)
        return self.generator.sample_with_labels(seeds, labels), labels

    def prepare(self):
        logging.info("Drawing %d samples, and reading as many test and training images", self.num_samples)
        return self.held_out, self.training, self.samples

    def _draw(self, generator, what):
        return self._extract(self._sampled(generator), self.num_samples, what)

    def _read(self, split):
        # Different images, the first of one shuffled epoch, so that no more of them are held in memory.
        found = real_features.read(self.extractor, self.data, split, self._count(split))
        return Images(found.features, found.logits, found.shown, functools.partial(self._pixels, split)), found.labels

    def _pixels(self, split):
        count = min(self._count(split), self._kept)
        return np.concatenate(list(real_features.pixels(self.data, split, count)))

    @property
    def _kept(self):
        """How many images of a set keep their pixels."""
        return max(_SHOWN, _PIXELS_BYTES // int(np.prod(self.data.data_shape)))

    def pixels(self, split, labels=None):
        """The images of `held_out` or `training` themselves, again.

        Args:
            split: "test" or "train".
            labels: list that takes the labels of each batch, int64 [n]; None without.

        Returns:
            Iterator of NumPy uint8 [n, H, W, C].
        """
        return real_features.pixels(self.data, split, self._count(split), labels)

    def _count(self, split):
        return min(self.num_samples, self.data.num_examples(split))

    def _sampled(self, generator):
        if generator.upscale is not None:
            # Not what seeds choose of few images: one for each test image, of its low-resolution version.
            yield from (generator.upscale(low_resolution(images)) for images in self.pixels("test"))
            return
        for start in range(0, self.num_samples, _BATCH):
            yield generator.sample(self.seeds[start : start + _BATCH])

    def _extract(self, batches, count, what):
        features, logits, pixels = [], [], []
        with Progress(count, what, "image") as progress:
            for batch in batches:
                of_features, of_classes = self.extractor(batch)
                features.append(of_features)
                logits.append(of_classes)
                if progress.done < self._kept:
                    pixels.append(batch)
                progress.update(progress.done + len(batch))
        pixels = np.concatenate(pixels)[: self._kept]
        return Images(np.concatenate(features), np.concatenate(logits), pixels[:_SHOWN], lambda: pixels)
