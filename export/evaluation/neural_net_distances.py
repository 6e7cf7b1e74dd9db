"""The neural-net distance of samples and its generalisation gap: metrics of points, and of images by their features."""

from export.evaluation.context import features_of
from export.evaluation.metric import Metric
from export.metrics import intervals
from export.metrics.neural_net_distance import MLPCritics, neural_net_distance

#: The critics, and most examples of a side, for the search and for the gap each.
_CRITICS, _EXAMPLES = MLPCritics((16,)), 2000
#: How critics are sought: about a second for as many points, and some seconds for features.
_SEARCH = {"starts": 3, "max_iterations": 200}
#: Critics of features are wide: with more weights than this they are sought from one start, in fewer iterations, and
#: their payoff is bounded (φ(t) = t), since on examples that they have not seen φ = log of sure critics has no end.
_WIDE, _WIDE_SEARCH = 500, {"phi": "identity", "starts": 1, "max_iterations": 60}
_ONE_SEARCH = "not estimated: other draws would need searches for critics of their own"


def _half(context):
    return min(_EXAMPLES, context.num_samples // 2, len(features_of(context.training)) // 2)


def _search(context, examples):
    # One half to find the critic on, the other to see what is left of it on examples that it has not seen.
    half = _half(context)
    held_out, samples = (features_of(each)[:half] for each in (context.held_out, examples))
    wide = held_out.shape[1] * _CRITICS.hidden_units[0] > _WIDE
    return neural_net_distance(held_out, samples, _CRITICS, **(_WIDE_SEARCH if wide else _SEARCH))


def _told_apart(context, examples):
    return context.once(_search, examples)


def _gap(context, examples):
    second = slice(_half(context), 2 * _half(context))
    held_out, samples = (features_of(each)[second] for each in (context.held_out, examples))
    return _told_apart(context, examples).generalization_gap(held_out, samples)


def _about(context):
    found = _told_apart(context, context.samples)
    return (
        f"Neural-net distance to held-out examples, φ = {found.phi}, {found.critics} ({found.parameters} parameters); "
        f"0 where they tell nothing apart, {'1' if found.phi == 'identity' else '2 log 2'} where everything."
    )


def _halves(context):
    return _half(context), _half(context)


METRICS = (
    Metric(
        "neural_net_distance",
        "lower",
        _about,
        value=lambda context, examples: _told_apart(context, examples).value,
        interval=lambda context, examples: intervals.absent(_told_apart(context, examples).value, _ONE_SEARCH),
        counts=_halves,
        of_untrained=True,
    ),
    Metric(
        "neural_net_distance_gap",
        "lower",
        "How much of that distance was the sample: what it falls by on as many other examples, with the same critic.",
        value=_gap,
        interval=lambda context, examples: intervals.absent(_gap(context, examples), _ONE_SEARCH),
        counts=_halves,
    ),
)
