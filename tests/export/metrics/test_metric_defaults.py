"""Default arguments of the metrics, against their papers or the conventions they follow."""

import inspect

import pytest

from export.evaluation import evaluator
from export.metrics import classifier_score, frechet, intervals, kernel, neural_net_distance, precision_recall, toy


@pytest.mark.parametrize(
    "function, expected",
    [
        # Naeem et al. 2020, section 5: k = 5, for improved precision and recall too.
        (precision_recall.manifold_metrics, {"neighbours_precision_recall": 5, "neighbours_density_coverage": 5}),
        (precision_recall.manifold_intervals, {"neighbours_precision_recall": 5, "neighbours_density_coverage": 5}),
        # Bińkowski et al. 2018, section 4: k(x, y) = (x·y / d + 1)³; a scale of None is 1 / d.
        (kernel.polynomial_kernel, {"degree": 3, "scale": None, "offset": 1.0}),
        # TF-GAN's largest block.
        (kernel.kernel_distance, {"block_size": 1000, "kernel": kernel.polynomial_kernel}),
        # One p(y) over all samples is the least biased; the ten splits of Salimans et al. 2016 are asked for.
        (classifier_score.classifier_score, {"splits": 1}),
        # Srivastava et al. 2017, section 5.1: three standard deviations. One sample of 2,500 on 25 modes.
        (toy.mode_counts, {"num_std": 3.0, "min_share": 0.01}),
        # Rabin et al. 2011: the 2-Wasserstein distance. Earth mover's distance is the 1-Wasserstein one.
        (toy.sliced_wasserstein, {"p": 2, "num_projections": 128}),
        (toy.exact_wasserstein, {"p": 1}),
        # Arora et al. 2017, definition 2, with the measuring function of the original GAN.
        (neural_net_distance.neural_net_distance, {"phi": "log", "starts": 4, "max_iterations": 500}),
        (neural_net_distance.MLPCritics, {"hidden_units": (16,)}),
        # 95 % everywhere. The numbers of splits are what the coverage in test_intervals is measured with.
        (intervals.mean_interval, {"level": 0.95}),
        (intervals.share_interval, {"level": 0.95}),
        (intervals.discrepancy_interval, {"level": 0.95, "splits": 20}),
        (toy.sliced_wasserstein_interval, {"level": 0.95, "splits": 20}),
        (toy.mode_divergence_interval, {"level": 0.95}),
        (classifier_score.classifier_score_interval, {"level": 0.95}),
        (classifier_score.class_divergence_interval, {"level": 0.95}),
        (frechet.frechet_interval, {"level": 0.95, "splits": None}),
        (precision_recall.manifold_intervals, {"level": 0.95, "splits": None}),
        (kernel.KernelDistance.interval, {"level": 0.95}),
        # 10,000 samples, as the Fréchet distances of the literature on small images (Heusel et al. 2017 take 50,000).
        (evaluator.evaluate, {"num_samples": 10_000}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_defaults(function, expected):
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default for name in expected} == expected
