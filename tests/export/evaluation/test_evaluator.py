import keras
import numpy as np
import pytest
from by_hand import generator_of, write_report

import zoo
from export.evaluation import image_metrics
from export.evaluation.evaluator import evaluate
from export.generators import Generator
from export.metrics import kernel
from export.metrics.feature_extractor import FeatureExtractor
from export.saved_model import export_saved_model
from zoo import datasets
from zoo.errors import RequestError


def test_a_generator_of_training_images_lands_where_training_images_do(good):
    assert good.num_samples == 304 and "304 were drawn" in good.notes[0]
    reasons = {
        # One of the random templates is the brightest on a handful of test images only.
        "class_divergence": "not finite on half",
        "statistically_different_bins": "sees less on fewer samples",
        "neural_net_distance": "searches for critics",
        "neural_net_distance_gap": "searches for critics",
    }
    for name, entry in good.metrics.items():
        assert entry["num_samples"] == (152 if name.startswith("neural_net") else 304)
        if name in reasons:
            assert entry["interval"] is None and reasons[name] in entry["no_interval"]
            continue
        low, high = entry["interval"]
        assert low <= entry["value"] <= high and low < high, name
        assert entry["level"] == 0.95 and "no_interval" not in entry
    assert good.metrics["recall"]["value"] > 0.8 * good.metrics["recall"]["real"]
    assert good.metrics["frechet_distance"]["value"] < 2 * good.metrics["frechet_distance"]["real"] + 0.1
    # Its samples are training images, many of them among those that the evaluation compares with.
    assert good.metrics["copied_share"]["value"] > 0.1 > good.metrics["copied_share"]["real"]
    assert good.metrics["training_distance_ratio"]["value"] < 0.9 < good.metrics["training_distance_ratio"]["real"]
    assert good.metrics["statistically_different_bins"]["value"] <= 0.2
    assert good.metrics["vendi_score"]["value"] == pytest.approx(good.metrics["vendi_score"]["real"], rel=0.1)
    assert good.metrics["ms_ssim"]["value"] == pytest.approx(good.metrics["ms_ssim"]["real"], abs=0.1)
    assert good.sections["mode_collapse"]["level"] == "none"
    assert sum(entry["share"] for entry in good.classes) == pytest.approx(1)
    assert sum(entry["reference_share"] for entry in good.classes) == pytest.approx(1)


def test_the_kernel_distance_has_five_blocks_or_more(perfect, digits, extractor, monkeypatch):
    sizes = []

    def recorded(real, samples, block_size):
        sizes.append(block_size)
        return kernel.kernel_distance(real, samples, block_size=block_size)

    monkeypatch.setattr(image_metrics, "kernel_distance", recorded)
    evaluate(perfect, digits, features=extractor, num_samples=100)
    # Samples and training images, both against the test images.
    assert sizes == [20, 20]


def test_a_generator_of_one_image_is_called_collapsed(perfect, digits, extractor, good):
    collapsed = generator_of(lambda seeds: np.repeat(perfect.sample([0]), len(seeds), 0), (8, 8, 1))
    found = evaluate(collapsed, digits, features=extractor, untrained=collapsed)
    assert found.sections["mode_collapse"]["level"] == "severe"
    assert found.metrics["frechet_distance"]["percent_of_untrained"] == pytest.approx(100)
    assert found.metrics["frechet_distance"]["value"] > 10 * good.metrics["frechet_distance"]["value"]
    assert found.metrics["recall"]["value"] < 0.05
    assert found.metrics["birthday_paradox"]["value"] == 1.0 and found.metrics["ms_ssim"]["value"] > 0.999
    assert found.metrics["vendi_score"]["value"] == pytest.approx(1.0, rel=1e-6)
    assert found.metrics["statistically_different_bins"]["value"] > 0.5
    assert max(entry["share"] for entry in found.classes) == 1


def test_a_saved_model_gives_the_numbers_of_the_generator_itself(digits, tmp_path):
    keras.utils.set_random_seed(1)
    sampler = zoo.DCGANGenerator((8, 8, 1), latent_dim=8, base_filters=8)
    saved = export_saved_model(sampler, 8, (8, 8, 1), tmp_path, "tiny")
    # By the classifier that the package ships for digits.
    here, there = (
        evaluate(generator, digits, num_samples=100)
        for generator in (Generator.of_sampler(sampler, 8, (8, 8, 1)), Generator.load(saved))
    )
    assert here.metrics == there.metrics and here.classes == there.classes
    assert here.features["name"] == "digits_cnn_v1"


def test_points_drawn_from_the_density_find_every_mode(ring):
    points = ring.arrays("train", 3000)[0][1000:]
    found = evaluate(generator_of(lambda seeds: points[seeds], (2,)), ring, num_samples=2000)
    metrics = found.metrics
    assert (metrics["modes_found"]["value"], metrics["modes_found"]["of"]) == (8, 8)
    assert metrics["high_quality_share"]["value"] == pytest.approx(0.989, abs=0.01)
    for name in ("sliced_wasserstein", "exact_wasserstein", "log_likelihood", "neural_net_distance"):
        assert metrics[name]["value"] == pytest.approx(metrics[name]["real"], abs=0.15), name
    assert found.sections["mode_collapse"]["level"] == "none"


def test_every_metric_has_an_interval_or_the_reason_why_not(ring, tmp_path):
    points = ring.arrays("train", 400)[0]
    found = evaluate(generator_of(lambda seeds: points[seeds] + 0.01, (2,)), ring, num_samples=400)
    page = write_report(found, ring, tmp_path).read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    absent = set()
    for name, entry in found.metrics.items():
        if entry["interval"] is None:
            absent.add(name)
            assert f"<small>{entry['no_interval']}</small>" in page and f"none ({entry['no_interval']})" in markdown
        else:
            assert entry["interval"][0] <= entry["value"] <= entry["interval"][1] and entry["level"] == 0.95, name
    assert absent == {"modes_found", "exact_wasserstein", "neural_net_distance", "neural_net_distance_gap"}
    # Fewer points than two blocks of 1,000.
    assert found.metrics["exact_wasserstein"]["no_interval"] == "there is one block only"


def test_points_on_one_mode_are_called_collapsed(ring):
    rng = np.random.default_rng(0)
    generator = generator_of(lambda seeds: ring.modes[2] + 0.02 * rng.normal(size=(len(seeds), 2)), (2,))
    found = evaluate(generator, ring, num_samples=500)
    assert found.metrics["modes_found"]["value"] == 1
    assert found.metrics["mode_divergence"]["value"] == pytest.approx(np.log(8))
    section = found.sections["mode_collapse"]
    assert section["level"] == "severe" and section["rests_on"]["modes_missing"] == 7
    assert "1 of 8 modes found" in section["verdict"] and "blur" not in section["verdict"]


@pytest.mark.parametrize("source", ["swiss_roll", "uniform?dim=1", "two_segments"])
def test_densities_without_modes_are_measured_by_what_they_have(source):
    data = datasets.load(source)
    shape = data.data_shape
    found = evaluate(generator_of(lambda seeds: np.full([len(seeds), *shape], 0.3), shape), data, num_samples=100)
    assert "modes_found" not in found.metrics and found.classes is None
    assert ("log_likelihood" in found.metrics) == data.has_log_density
    assert found.sections["mode_collapse"]["level"] in ("partial", "severe")


def test_a_generator_that_does_not_fit_or_broke_down_is_refused(digits, perfect):
    with pytest.raises(RequestError, match="makes 2, and 'digits' has 8×8×1"):
        evaluate(generator_of(None, (2,)), digits)
    broken = Generator(perfect.sample, lambda latents: np.full([8, 8, 8, 1], np.nan), 2, (8, 8, 1), 0)
    with pytest.raises(RequestError, match="not finite"):
        evaluate(broken, digits)


def test_too_few_test_images_are_refused_before_a_classifier_is_trained(perfect, monkeypatch):
    from export.metrics import features

    class Few:
        name, data_shape, num_classes = "few", (8, 8, 1), 2

        def num_examples(self, split):
            return {"train": 54, "test": 6}[split]

    monkeypatch.setattr(features, "features_for", lambda *args: pytest.fail("looked for features first"))
    with pytest.raises(RequestError, match="'few': 6 test images; an evaluation needs at least 20"):
        evaluate(perfect, Few())


def test_a_poor_classifier_is_warned_of_and_its_accuracy_stated(perfect, digits, extractor, tmp_path):
    poor = FeatureExtractor({**extractor.metadata, "test_accuracy": 0.5, "chance": 0.25}, extractor._forward)
    measured = evaluate(perfect, digits, features=poor, num_samples=20)
    assert "names 50.0% of its test images rightly" in measured.notes[0] and "25.0%" in measured.notes[0]
    text = (write_report(measured, digits, tmp_path).parent / "report.md").read_text()
    assert "test accuracy 50.00 % (naming the commonest class always: 25.00 %)." in text and measured.notes[0] in text


def test_more_points_than_can_be_measured_are_refused(ring):
    with pytest.raises(RequestError, match="--num_samples: 100001; points are measured on up to 100,000"):
        evaluate(generator_of(None, (2,)), ring, num_samples=100_001)


@pytest.mark.parametrize("name, told", [("inception_v3_tfgan", "behind published"), ("inception_v3", "not of the")])
def test_the_frechet_distance_is_called_fid_in_inceptions_features_alone(perfect, digits, extractor, good, name, told):
    inception = FeatureExtractor({**extractor.metadata, "name": name}, extractor._forward)
    found = evaluate(perfect, digits, features=inception, num_samples=60).metrics
    same = {key: value for key, value in found["frechet_distance"].items() if key != "about"}
    assert {key: value for key, value in found["fid"].items() if key != "about"} == same
    assert told in found["fid"]["about"] and "fid" not in good.metrics
