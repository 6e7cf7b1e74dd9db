import numpy as np
import pytest
from by_hand import generator_of, write_report

from export.diagnostics import diagnose
from export.diagnostics.game import NotMeasured
from export.evaluation import image_metrics, point_metrics
from export.evaluation.context import ImageContext, PointContext
from export.evaluation.evaluator import evaluate
from export.evaluation.metric import Metric
from export.metrics import intervals


@pytest.fixture
def counted(ring):
    """(calls of a generator of points, by their seeds; the generator)."""
    calls, points = [], ring.arrays("train", 200)[0]

    def sample(seeds):
        calls.append(list(seeds))
        return points[seeds - 7]

    return calls, generator_of(sample, (2,))


def test_each_set_is_drawn_once_and_the_samples_are_those_of_the_seeds(counted, ring):
    calls, generator = counted
    context = PointContext(generator, ring, num_samples=20, first_seed=7, untrained=generator, run="a run")
    assert not calls and context.run == "a run" and context.class_names == tuple("01234567")
    context.prepare()
    assert context.samples is context.samples and len(context.samples) == 20
    assert context.untrained is context.untrained
    assert calls == [list(range(7, 27))] * 2
    np.testing.assert_array_equal(context.held_out, ring.arrays("test", 20)[0])
    np.testing.assert_array_equal(context.training, ring.arrays("train", 20)[0])
    assert PointContext(generator, ring, num_samples=20).untrained is None


def test_samples_are_drawn_anew_beside_the_same_data(counted, ring):
    calls, seen, generator = counted[0], [], counted[1]

    def size(context, examples):
        seen.append(len(examples))
        return len(examples)

    first = PointContext(generator, ring, num_samples=20, first_seed=7, untrained=generator)
    for each in first.prepare():
        first.once(size, each)
    second = first.anew()
    assert second.held_out is first.held_out and second.training is first.training
    assert second.samples is not first.samples and second.untrained is not first.untrained
    assert len(calls) == 4 and len(seen) == 4
    for each in second.prepare():
        second.once(size, each)
    assert len(seen) == 6  # of the two that were drawn anew
    assert second.labels(second.held_out) is first.labels(first.held_out)
    assert first.samples is first.prepare()[0]  # the first one is as it was


def test_what_metrics_share_is_computed_once_for_each_set(counted, ring):
    calls, context = [], PointContext(counted[1], ring, num_samples=20, first_seed=7)

    def mean(found, points):
        assert found is context
        calls.append(points)
        return points.mean()

    for _ in range(2):
        assert context.once(mean, context.samples) == context.samples.mean()
        assert context.once(mean, context.held_out) == context.held_out.mean()
    assert len(calls) == 2
    assert context.once(lambda found, points: points.max(), context.samples) == context.samples.max()


def test_images_are_seen_by_the_extractor_once(perfect, digits, extractor):
    context = ImageContext(extractor, perfect, digits, num_samples=70)
    for images in (context.samples, context.held_out, context.training):
        assert images.features.shape == (70, 16) and images.shown.shape == (64, 8, 8, 1)
        assert images.gaussian is images.gaussian
        np.testing.assert_array_equal(images.classes, images.logits.argmax(axis=1))
    np.testing.assert_array_equal(context.samples.features, extractor(perfect.sample(np.arange(70)))[0])
    assert context.shown[0] is context.samples.shown and context.shown[1] is context.held_out.shown


@pytest.mark.parametrize("rows", [image_metrics, point_metrics], ids=["images", "points"])
def test_a_row_is_all_that_a_new_metric_takes(rows, request, tmp_path, monkeypatch, perfect, digits, counted, ring):
    row = Metric(
        "size_of_the_run",
        "higher",
        lambda context: f"How large {context.run} is.",
        value=lambda context, sample: 2.0 * len(sample),
        interval=lambda context, sample: intervals.absent(len(sample), "it is exact"),
        needs=lambda context: context.run is not None,
    )
    monkeypatch.setattr(rows, "METRICS", (*rows.METRICS, row))
    # Likewise a diagnostic, and one that does not apply.
    told = {"level": "none", "verdict": "A new failure: not seen.", "rests_on": {}}

    def of_other_runs(found):
        raise NotMeasured("it is no other run")

    monkeypatch.setattr(diagnose, "DIAGNOSTICS", {"new_failure": lambda found: told, "non_failure": of_other_runs})
    if rows is image_metrics:
        generator, data, features = perfect, digits, request.getfixturevalue("extractor")
    else:
        generator, data, features = counted[1], ring, "auto"
    options = {"features": features, "num_samples": 40, "first_seed": 7}
    assert "size_of_the_run" not in evaluate(generator, data, **options).metrics
    found = evaluate(generator, data, run="this run", **options)
    assert found.metrics["size_of_the_run"] == {
        "value": 40.0,
        "interval": None,
        "no_interval": "it is exact",
        "num_samples": 40,
        "num_reference": 40,
        "better": "higher",
        "about": "How large this run is.",
        "real": 80.0,
    }
    page = write_report(found, data, tmp_path)
    assert found.sections["new_failure"] == told
    assert "Not measured: non-failure; it is no other run." in found.notes
    for file in ("report.html", "report.md", "report.json"):
        assert "A new failure: not seen." in (page.parent / file).read_text()
        assert "How large this run is." in (page.parent / file).read_text()
