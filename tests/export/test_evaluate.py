import dataclasses
import html
import json
import pathlib
import re
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

import zoo
from export import evaluate as program
from export.evaluate import evaluate
from export.generators import Generator
from export.metrics import intervals, kernel
from export.metrics.features import FeatureExtractor
from export.report import images, metric, pages, sections
from export.saved_model import export_saved_model
from zoo import datasets
from zoo.errors import RequestError
from zoo.pixels import to_uint8

REPORTS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reports"


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def extractor():
    """Pixels' projections as features; the brightest of ten random templates as class."""
    rng = np.random.default_rng(0)
    features, logits = rng.normal(size=(64, 16)) / 8, rng.normal(size=(64, 10))

    def forward(images):
        flat = images.reshape(len(images), 64)
        return (flat @ features).astype(np.float32), (flat @ logits).astype(np.float32)

    names = ("name", "version", "checksum", "dim", "num_classes", "data_shape", "test_accuracy")
    return FeatureExtractor(dict(zip(names, ("projections", 1, "0" * 64, 16, 10, (8, 8, 1), None))), forward)


def _generator(sample, data_shape, latent_dim=2):
    return Generator(sample, lambda latents: np.zeros([len(latents), *data_shape]), latent_dim, data_shape, 0)


@pytest.fixture(scope="module")
def perfect(digits):
    """Gives training images that the report itself does not take as its first ones."""
    images = to_uint8(digits.arrays("train")[0])
    return _generator(lambda seeds: images[np.random.default_rng(0).permutation(len(images))[seeds]], (8, 8, 1))


@pytest.fixture(scope="module")
def good(perfect, digits, extractor):
    return evaluate(perfect, digits, features=extractor)


def test_a_generator_of_training_images_lands_where_training_images_do(good):
    assert good.num_samples == 304 and "304 were drawn" in good.notes[0]
    for name, entry in good.metrics.items():
        assert entry["num_samples"] == 304
        if name == "class_divergence":
            # One of the random templates is the brightest on a handful of test images only.
            assert entry["interval"] is None and "not finite on half" in entry["no_interval"]
            continue
        low, high = entry["interval"]
        assert low < entry["value"] < high, name
        assert entry["level"] == 0.95 and "no_interval" not in entry
    assert good.metrics["recall"]["value"] > 0.8 * good.metrics["recall"]["real"]
    assert good.metrics["frechet_distance"]["value"] < 2 * good.metrics["frechet_distance"]["real"] + 0.1
    assert good.sections["mode_collapse"]["level"] == "none"
    assert sum(entry["share"] for entry in good.classes) == pytest.approx(1)
    assert sum(entry["reference_share"] for entry in good.classes) == pytest.approx(1)


def test_the_kernel_distance_has_five_blocks_or_more(perfect, digits, extractor, monkeypatch):
    sizes = []

    def recorded(real, samples, block_size):
        sizes.append(block_size)
        return kernel.kernel_distance(real, samples, block_size=block_size)

    monkeypatch.setattr(images, "kernel_distance", recorded)
    evaluate(perfect, digits, features=extractor, num_samples=100)
    # Samples and training images, both against the test images.
    assert sizes == [20, 20]


def test_a_generator_of_one_image_is_called_collapsed(perfect, digits, extractor, good):
    collapsed = _generator(lambda seeds: np.repeat(perfect.sample([0]), len(seeds), 0), (8, 8, 1))
    found = evaluate(collapsed, digits, features=extractor, untrained=collapsed)
    assert found.sections["mode_collapse"]["level"] == "severe"
    assert found.metrics["frechet_distance"]["percent_of_untrained"] == pytest.approx(100)
    assert found.metrics["frechet_distance"]["value"] > 10 * good.metrics["frechet_distance"]["value"]
    assert found.metrics["recall"]["value"] < 0.05
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


@pytest.fixture(scope="module")
def ring():
    return datasets.load("ring")


def test_points_drawn_from_the_density_find_every_mode(ring):
    points = ring.arrays("train", 3000)[0][1000:]
    found = evaluate(_generator(lambda seeds: points[seeds], (2,)), ring, num_samples=2000)
    metrics = found.metrics
    assert (metrics["modes_found"]["value"], metrics["modes_found"]["of"]) == (8, 8)
    assert metrics["high_quality_share"]["value"] == pytest.approx(0.989, abs=0.01)
    for name in ("sliced_wasserstein", "exact_wasserstein", "log_likelihood", "neural_net_distance"):
        assert metrics[name]["value"] == pytest.approx(metrics[name]["real"], abs=0.15), name
    assert found.sections["mode_collapse"]["level"] == "none"


def test_every_metric_has_an_interval_or_the_reason_why_not(ring, tmp_path):
    points = ring.arrays("train", 400)[0]
    found = evaluate(_generator(lambda seeds: points[seeds] + 0.01, (2,)), ring, num_samples=400)
    page = _write(found, ring, tmp_path).read_text()
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
    generator = _generator(lambda seeds: ring.modes[2] + 0.02 * rng.normal(size=(len(seeds), 2)), (2,))
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
    found = evaluate(_generator(lambda seeds: np.full([len(seeds), *shape], 0.3), shape), data, num_samples=100)
    assert "modes_found" not in found.metrics and found.classes is None
    assert ("log_likelihood" in found.metrics) == data.has_log_density
    assert found.sections["mode_collapse"]["level"] in ("partial", "severe")


def test_a_generator_that_does_not_fit_or_broke_down_is_refused(digits, perfect):
    with pytest.raises(RequestError, match="makes 2, and 'digits' has 8×8×1"):
        evaluate(_generator(None, (2,)), digits)
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
    text = (_write(measured, digits, tmp_path).parent / "report.md").read_text()
    assert "test accuracy 50.00 % (naming the commonest class always: 25.00 %)." in text and measured.notes[0] in text


def _write(measured, data, tmp_path, rows=(), **generator):
    described = {"origin": "workdir", "path": "runs/one", "parameters": 7, "latent_dim": 2, **generator}
    report = pages.compose(measured, generator=described, data=data, num_asked=1000, first_seed=0, seeded=True)
    return pages.write(report, measured, list(rows), tmp_path / "report")


def test_the_pages_hold_the_numbers_and_need_nothing_from_outside(good, digits, tmp_path):
    rows = [
        {"step": step, "critic_loss": 1.0, "generator_loss": 0.5, "critic_gradient_norm": 0.1} for step in (1, 2, 3)
    ]
    page = _write(good, digits, tmp_path, rows, objective="minimax", step=3, images_seen=192).read_text()
    folder = tmp_path / "report"
    names = {"classes.png", "losses.png", "real.png", "report.html", "report.json", "report.md", "samples.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert page.count('src="data:image/png;base64,') == 4
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|https?:", page)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads((folder / "report.json").read_text(), parse_constant=refuse)
    assert report["schema_version"] == 2 and report["metrics"] == good.metrics
    assert list(report["sections"]) == ["mode_collapse"]
    markdown = (folder / "report.md").read_text()
    for entry in good.metrics.values():
        assert f"{entry['value']:.4g}" in page and f"{entry['value']:.4g}" in markdown
    assert good.sections["mode_collapse"]["verdict"] in markdown
    assert "![Losses over the steps](losses.png)" in markdown


@pytest.mark.parametrize("left_out", [(), ("frechet_distance", "kernel_distance")])
def test_the_pages_say_where_an_interval_was_measured_to_be_off(good, digits, tmp_path, left_out):
    metrics = {name: entry for name, entry in good.metrics.items() if name not in left_out}
    page = _write(dataclasses.replace(good, metrics=metrics), digits, tmp_path).read_text()
    expected = {
        pages._label(name): (intervals.METHODS[entry["method"]] + ". " + entry.get("caveat", "")).strip()
        for name, entry in metrics.items()
        if entry["interval"]
    }
    for text in (html.unescape(page), (tmp_path / "report" / "report.md").read_text()):
        before, _, after = text.partition(intervals.TRIED)
        told = {}
        for names, what in re.findall(r"^(?: *<li><b>|- )([^<:]*)(?:</b>)?: (.*?)(?:</li>)?$", after, re.MULTILINE):
            told |= dict.fromkeys(names.split(", "), what)
        assert told == expected
        assert not any(entry["caveat"] in before for entry in good.metrics.values() if "caveat" in entry)
    with_caveat = {name for name, entry in good.metrics.items() if "caveat" in entry}
    assert with_caveat == {"frechet_distance", "kernel_distance", "precision", "recall", "coverage"}


def test_pages_without_intervals_say_nothing_of_them(good, digits, tmp_path):
    metrics = {name: {**entry, "interval": None, "no_interval": "why"} for name, entry in good.metrics.items()}
    page = _write(dataclasses.replace(good, metrics=metrics), digits, tmp_path).read_text()
    assert intervals.TRIED not in html.unescape(page)


@pytest.mark.parametrize("folder", sorted(REPORTS.iterdir()), ids=lambda folder: folder.name)
def test_the_committed_pages_are_what_the_templates_give(folder):
    report = json.loads((folder / "report.json").read_text())
    pictures = {name: (folder / f"{name}.png").read_bytes() for name in ("samples", "real", "classes", "losses")}
    for name, page in pages._pages(report, pictures, "class").items():
        # Where a template changed: write these texts there.
        assert (folder / name).read_text() == page, name


def test_text_from_outside_cannot_become_markup(good, digits, tmp_path):
    evil = "<script>alert(1)</script>|x"
    classes = [{**entry, "name": f"{evil}{index}"} for index, entry in enumerate(good.classes)]
    changed = type(good)(**{**vars(good), "classes": classes, "notes": [evil]})
    page = _write(changed, digits, tmp_path, objective=evil, path=evil).read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in page and "<script" not in markdown
    assert "&lt;script&gt;" in page and "\\|x0 |" in markdown


def test_the_terminal_gets_the_first_numbers_and_the_verdict(good, digits, tmp_path):
    report = json.loads((_write(good, digits, tmp_path).parent / "report.json").read_text())
    lines = pages.headlines(report).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "Fréchet distance",
        "Precision",
        "Recall",
        "Coverage",
        "Mode collapse",
    ]
    distance = good.metrics["frechet_distance"]
    assert f"{distance['value']:.4g} (" in lines[0] and f"training data {distance['real']:.4g}" in lines[0]
    report["metrics"]["frechet_distance"].update(value=None, interval=None, real=None)
    assert pages.headlines(report).splitlines()[0] == "Fréchet distance: none"


def test_the_program_prints_the_numbers_before_the_path(good, digits, tmp_path, monkeypatch, capsys):
    page = _write(good, digits, tmp_path)
    monkeypatch.setattr(program, "find_saved_model", lambda path: path)
    monkeypatch.setattr(program.model_card, "read", lambda path: {})
    monkeypatch.setattr(program, "evaluate_saved_model", lambda *arguments, **options: page)
    names = {"workdir": None, "saved_model": "model", "data": None, "image_size": None, "out": str(tmp_path)}
    given = types.SimpleNamespace(**names, features="auto", num_samples=20, seed=0)
    monkeypatch.setattr(program.flags, "FLAGS", given)
    program.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Fréchet distance: ") and lines[-1] == str(page)


def test_more_points_than_can_be_measured_are_refused(ring):
    with pytest.raises(RequestError, match="--num_samples: 100001; points are measured on up to 100,000"):
        evaluate(_generator(None, (2,)), ring, num_samples=100_001)


def test_numbers_that_are_not_finite_become_null():
    broken = intervals.absent(float("-inf"), "why")
    entry = metric.metric(broken, "higher", "", num_samples=3, real=float("nan"))
    assert entry["value"] is None and entry["interval"] is None and entry["real"] is None
    assert entry["no_interval"] == "why" and "level" not in entry
    assert pages._value(entry) == "none"


def test_a_thin_class_is_partial_collapse():
    shares = [0.02, 0.18] + [0.1] * 8
    classes = [{"name": f"c{i}", "share": share, "reference_share": 0.1} for i, share in enumerate(shares)]
    manifold = {name: {"value": 0.8, "real": 0.9} for name in ("recall", "coverage")}
    section = sections.mode_collapse_of_images(manifold, classes)
    assert section["level"] == "partial" and "1 thin (class c0)" in section["verdict"]
    assert section["rests_on"]["classes_thin"] == 1 and section["rests_on"]["smallest_share"] == 0.02


def test_data_is_prepared_as_the_model_card_says():
    card = {
        "data_shape": [16, 16, 3],
        "config": {"data": {"source": "digits", "on_corrupt": "error", "data_dir": None}},
    }
    assert program._open_data(None, None, card).data_shape == (16, 16, 3)
    assert program._open_data("digits", 8, card).data_shape == (8, 8, 3)
    assert program._open_data("digits", None, {}).data_shape == (8, 8, 1)
    with pytest.raises(RequestError, match="--data: missing"):
        program._open_data(None, None, {})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "neither given"),
        (["--workdir=/tmp", "--saved_model=/tmp"], "both given"),
        (["--workdir=/"], "/ holds no run"),
        (["--workdir=/", "--features=digits_cnn_v9"], "did you mean 'digits_cnn_v1'?"),
        (["--saved_model=/"], "holds no SavedModel"),
        (["--workdir=/", "--data=ring"], "only for --saved_model"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message):
    done = subprocess.run([sys.executable, "-m", "export.evaluate", *flags], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_bad_data_for_a_saved_model_is_refused_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    command = [sys.executable, "-m", "export.evaluate", f"--saved_model={tmp_path}", "--data=idx:/nonexistent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "idx:/nonexistent" in done.stderr and done.stderr.count("\n") == 1, done.stderr
