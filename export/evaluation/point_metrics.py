"""The metrics of points whose density is known, a row each: modes, quality, likelihood, distances.

`context` is an `export.evaluation.context.PointContext`, `points` one of its sets, a NumPy array [N, d].
"""

import numpy as np

from export.evaluation import codes, label_agreement
from export.evaluation.metric import Metric, samples_alone
from export.metrics import intervals, toy
from export.metrics.neural_net_distance import MLPCritics, neural_net_distance

# The exact distance takes O(n³); blocks of this size take a third of a second each.
_EXACT_BLOCK = 1000
#: The critics of the neural-net distance, and how they are sought: about a second for as many points.
_CRITICS, _CRITIC_POINTS, _SEARCH = MLPCritics((16,)), 2000, {"starts": 3, "max_iterations": 200}
_ONE_SEARCH = "not estimated: other draws would need searches for critics of their own"


def has_modes(context):
    """Whether the data lies around known modes."""
    return context.data.modes is not None


def mode_counts(context, points):
    """`export.metrics.toy.ModeCounts` of points around the data's modes."""
    return toy.mode_counts(points, context.data.modes, context.data.std)


def _modes(context, points):
    return context.once(mode_counts, points)


def nearest(context, points):
    """The mode that each point is nearest to, int64 [N]."""
    return _modes(context, points).nearest


def _has_samples_on_modes(context):
    # Without a sample on any mode there is no histogram to speak of.
    return has_modes(context) and _modes(context, context.samples).high_quality.any()


def _has_density(context):
    return context.data.has_log_density


def _log_likelihood(context, points):
    return toy.log_likelihood(points, context.data.log_density)


def _likelihood(context, points):
    return context.once(_log_likelihood, points)


def _inside(context, points):
    """Log-densities of the points inside the data's support."""
    each = _likelihood(context, points).per_sample
    return each[np.isfinite(each)]


def _likelihood_interval(context, points):
    inside = _inside(context, points)
    if not len(inside):
        return intervals.absent(np.nan, "no sample lies inside the support")
    return intervals.mean_interval(inside, of="sample")


def _exact_blocks(context, points):
    """Exact Wasserstein-1 distances, float64 [blocks], of consecutive blocks of points and of held-out points."""
    starts = range(0, max(1, len(points) - _EXACT_BLOCK + 1), _EXACT_BLOCK)
    blocks = [slice(start, start + _EXACT_BLOCK) for start in starts]
    return np.array([toy.exact_wasserstein(points[block], context.held_out[block]) for block in blocks])


def _half(context):
    return min(_CRITIC_POINTS, context.num_samples // 2)


def _halves(context):
    return _half(context), _half(context)


def _search(context, points):
    # One half to find the critic on, the other to see what is left of it on points that it has not seen.
    half = _half(context)
    return neural_net_distance(context.held_out[:half], points[:half], _CRITICS, **_SEARCH)


def _told_apart(context, points):
    return context.once(_search, points)


def _gap(context, points):
    second = slice(_half(context), 2 * _half(context))
    return _told_apart(context, points).generalization_gap(context.held_out[second], points[second])


def _about_neural_net_distance(context):
    found = _told_apart(context, context.samples)
    return (
        f"Neural-net distance to held-out points, φ = log, {found.critics} ({found.parameters} parameters); "
        "0 where they tell nothing apart, 2 log 2 where everything."
    )


METRICS = (
    Metric(
        "modes_found",
        "higher",
        lambda context: (
            f"Modes that hold at least {_modes(context, context.samples).min_count} samples "
            "within 3 standard deviations of their centre."
        ),
        value=lambda context, points: _modes(context, points).modes_found,
        interval=lambda context, points: intervals.absent(
            _modes(context, points).modes_found, "a count takes too few values for an interval with a level"
        ),
        needs=has_modes,
        counts=samples_alone,
        of=lambda context: _modes(context, context.samples).num_modes,
    ),
    Metric(
        "high_quality_share",
        "higher",
        "Share of samples within 3 standard deviations of a mode's centre.",
        value=lambda context, points: _modes(context, points).high_quality_share,
        interval=lambda context, points: intervals.share_interval(
            _modes(context, points).high_quality_share, len(points)
        ),
        needs=has_modes,
        counts=samples_alone,
    ),
    Metric(
        "mode_divergence",
        "lower",
        lambda context: (
            "KL divergence, in nats, of the histogram of modes from balance; "
            f"log {_modes(context, context.samples).num_modes} for one mode."
        ),
        value=lambda context, points: _modes(context, points).kl_to_uniform,
        interval=lambda context, points: toy.mode_divergence_interval(_modes(context, points)),
        needs=_has_samples_on_modes,
        counts=samples_alone,
    ),
    label_agreement.metric(
        "Share of samples that lie nearest to the mode that they were made for.", nearest, has_modes
    ),
    Metric(
        "log_likelihood",
        "higher",
        "Mean exact log-density, in nats, of the samples inside the support. Collapsed ones can exceed the data's.",
        value=lambda context, points: _likelihood(context, points).mean_in_support,
        interval=_likelihood_interval,
        needs=_has_density,
        counts=lambda context: (len(_inside(context, context.samples)), None),
    ),
    Metric(
        "share_in_support",
        "higher",
        "Share of samples where the data's density is above 0 (in double precision).",
        value=lambda context, points: _likelihood(context, points).share_in_support,
        interval=lambda context, points: intervals.share_interval(
            _likelihood(context, points).share_in_support, len(points)
        ),
        needs=_has_density,
        counts=samples_alone,
    ),
    Metric(
        "sliced_wasserstein",
        "lower",
        "Sliced Wasserstein-2 distance to held-out points, 128 directions, in the data's unit.",
        value=lambda context, points: toy.sliced_wasserstein(points, context.held_out),
        interval=lambda context, points: toy.sliced_wasserstein_interval(points, context.held_out),
        of_untrained=True,
    ),
    Metric(
        "exact_wasserstein",
        "lower",
        lambda context: (
            "Exact Wasserstein-1 distance to held-out points, "
            f"mean over blocks of {min(_EXACT_BLOCK, context.num_samples)}."
        ),
        value=lambda context, points: _exact_blocks(context, points).mean(),
        interval=lambda context, points: intervals.mean_interval(_exact_blocks(context, points), of="block"),
        of_untrained=True,
    ),
    Metric(
        "neural_net_distance",
        "lower",
        _about_neural_net_distance,
        value=lambda context, points: _told_apart(context, points).value,
        interval=lambda context, points: intervals.absent(_told_apart(context, points).value, _ONE_SEARCH),
        counts=_halves,
        of_untrained=True,
    ),
    Metric(
        "neural_net_distance_gap",
        "lower",
        "How much of that distance was the sample: what it falls by on as many other points, with the same critic.",
        value=_gap,
        interval=lambda context, points: intervals.absent(_gap(context, points), _ONE_SEARCH),
        counts=_halves,
    ),
    *codes.METRICS,
)
