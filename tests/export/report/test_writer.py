import base64
import dataclasses
import html
import json
import pathlib
import re

import numpy as np
import pytest
from by_hand import labelled_generator_of, write_report
from PIL import Image

from export.evaluation.evaluator import evaluate
from export.metrics import intervals
from export.report import pages, pictures
from export.report.writer import write
from zoo import grids, pretrained

REPORTS = sorted(path.parent for path in pathlib.Path(pretrained.__file__).parent.rglob("report.json"))
_PICTURE = Image.new("L", (8, 8))


def test_the_pages_hold_the_numbers_and_need_nothing_from_outside(good, digits, tmp_path):
    rows = [
        {"step": step, "critic_loss": 1.0, "generator_loss": 0.5, "critic_gradient_norm": 0.1} for step in (1, 2, 3)
    ]
    page = write_report(good, digits, tmp_path, rows, objective="minimax", step=3, images_seen=192).read_text()
    folder = tmp_path / "report"
    names = {"classes", "copies", "duplicates", "interpolations", "losses", "real", "samples"}
    names = {f"{name}.png" for name in names} | {"report.html", "report.json", "report.md"}
    assert {path.name for path in folder.iterdir()} == names
    assert page.count('src="data:image/png;base64,') == 7
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import|https?:", page)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads((folder / "report.json").read_text(), parse_constant=refuse)
    assert report["schema_version"] == 2 and report["metrics"] == good.metrics
    assert list(report["sections"]) == ["mode_collapse", "generalization"]
    markdown = (folder / "report.md").read_text()
    for entry in good.metrics.values():
        assert f"{entry['value']:.4g}" in page and f"{entry['value']:.4g}" in markdown
    assert good.sections["mode_collapse"]["verdict"] in markdown
    assert "![Losses over the steps](losses.png)" in markdown


def test_a_section_says_what_to_try_next_and_shows_its_figure_and_its_numbers(good, digits, tmp_path):
    failing = {
        "level": "partial",
        "verdict": "Rotating: around & around.",
        "try_next": "--config.dynamics=consensus.",
        "rests_on": {"spectral_radius": 2.5, "largest_imaginary_to_real": None},
        "eigenvalues": [[-1.0, 2.0], [-1.0, -2.0]],
    }
    sections = {**good.sections, "non_convergence": failing}
    path = write_report(dataclasses.replace(good, sections=sections), digits, tmp_path)
    page, markdown = html.unescape(path.read_text()), (tmp_path / "report" / "report.md").read_text()
    assert failing["verdict"] in page and "<b>Try next:</b> --config.dynamics=consensus." in page
    assert "**Try next:** --config.dynamics=consensus." in markdown and "](non_convergence.png)" in markdown
    assert (tmp_path / "report" / "non_convergence.png").exists() and 'alt="Non-convergence"' in page
    assert "<td>Spectral radius</td><td>2.5</td>" in page
    assert "<td>Largest imaginary to real</td><td>—</td>" in page
    # The generator gives training images, and is told so: at the top, and in its section.
    assert page.count("Try next:") == markdown.count("Try next:") == 3
    assert good.sections["generalization"]["level"] == "severe" and "copies" in markdown
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["sections"]["non_convergence"] == failing
    assert pages.headlines(report).splitlines()[-1] == "  Try next: --config.dynamics=consensus."


@pytest.mark.parametrize("left_out", [(), ("frechet_distance", "kernel_distance")])
def test_the_pages_say_where_an_interval_was_measured_to_be_off(good, digits, tmp_path, left_out):
    metrics = {name: entry for name, entry in good.metrics.items() if name not in left_out}
    page = write_report(dataclasses.replace(good, metrics=metrics), digits, tmp_path).read_text()
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
    assert with_caveat >= {"frechet_distance", "kernel_distance", "precision", "recall", "coverage"}
    assert not with_caveat & {"classifier_score", "density"}


def test_pages_without_intervals_say_nothing_of_them(good, digits, tmp_path):
    metrics = {name: {**entry, "interval": None, "no_interval": "why"} for name, entry in good.metrics.items()}
    page = write_report(dataclasses.replace(good, metrics=metrics), digits, tmp_path).read_text()
    assert intervals.TRIED not in html.unescape(page)


def test_the_pages_tell_how_labels_are_followed(told, digits, tmp_path, monkeypatch):
    grids = []
    monkeypatch.setattr(
        pictures.grids, "image_grid", lambda images, columns=None, names=None: grids.append((images, names)) or _PICTURE
    )
    page = html.unescape(write_report(told, digits, tmp_path, told_labels=True).read_text())
    (samples, names), (real, of_real), (between, _), *_ = grids
    assert len(between) == 5 * 8
    assert names == list("0123456789") and of_real is None
    np.testing.assert_array_equal(samples, np.concatenate([told.samples_by_class[name] for name in names]))
    np.testing.assert_array_equal(real, told.reference)
    markdown = (tmp_path / "report" / "report.md").read_text()
    for text in (page, markdown):
        assert "a row for each class, a column for each of the first seeds" in text
        assert "Label agreement" in text and told.notes[-1] in text and "## Labels" in text.replace("<h2>", "## ")
    assert page.count('src="data:image/png;base64,') == 7
    # Names do not stay legible where a browser drops pixels.
    # The pairs and the real images keep their pixels; the picture with names beside its rows does not.
    assert page.count('class="pixels"') == 4 and 'class="pixels" src' in page.partition("Generated")[2]
    assert (tmp_path / "report" / "agreement.png").exists() and "](agreement.png)" in markdown
    assert "| Labels | chosen by the seed where none are given |" in markdown
    rows = {
        name: cells for name, *cells in re.findall(r"^\| (\d) \| (.*?) \| (.*?) \| (.*?) \|$", markdown, re.MULTILINE)
    }
    entry = told.classes[8]
    low, high = entry["agreement_interval"]
    assert (
        f"| 8 | 0.0 % | {100 * low:.1f} % to {100 * high:.1f} % | {100 * entry['real_agreement']:.1f} % |" in markdown
    )
    assert len(rows) == 10
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["classes"] == told.classes and report["generator"]["told_labels"] is True
    lines = pages.headlines(report).splitlines()
    assert [line.partition(":")[0] for line in lines[1:5]] == [
        "Fréchet distance",
        "Label agreement",
        "Precision",
        "Recall",
    ]


def test_pages_of_a_generator_that_is_told_no_labels_do_not_speak_of_them(good, digits, tmp_path):
    page = write_report(good, digits, tmp_path).read_text()
    for text in (page, (tmp_path / "report" / "report.md").read_text()):
        assert "abel" not in text.replace("aria-label", "") and "Generated: the first seeds, uncurated" in text
    assert page.count('class="pixels" src') == 5


@pytest.mark.parametrize(
    "generator, title",
    [
        ({"objective": "hinge"}, "hinge on digits"),
        ({"objective": "hinge", "told_labels": True}, "Conditional hinge on digits"),
        ({"told_labels": True}, "one on digits"),
    ],
)
def test_the_title_of_a_run_says_whether_labels_condition_it(generator, title, good, digits, tmp_path):
    page = write_report(good, digits, tmp_path, **generator).read_text()
    assert f"<title>{title}</title>" in page and f"<h1>{title}</h1>" in page
    assert (tmp_path / "report" / "report.md").read_text().startswith(f"# {title}\n")


def test_a_class_without_samples_has_no_agreement(told, digits, tmp_path):
    classes = [{**told.classes[0], "agreement": None, "agreement_interval": None}, *told.classes[1:]]
    write_report(dataclasses.replace(told, classes=classes), digits, tmp_path, told_labels=True)
    assert "\n| 0 | — | — | 100.0 % |\n" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    "num_classes, rows", [(10, "a row for each class,"), (11, "a row for each of the first 10 classes,")]
)
def test_the_caption_says_of_how_many_classes_there_are_rows(num_classes, rows):
    data = {"data_shape": [8, 8, 1], "num_classes": num_classes}
    assert rows in pages._samples_shown({"data": data, "generator": {"told_labels": True}})


def test_points_are_told_apart_by_the_colours_of_their_labels(ring, tmp_path, monkeypatch):
    plots, points = [], ring.arrays("train", 60)[0]
    generator = labelled_generator_of(lambda seeds, labels: points[seeds], lambda seeds: 2 * (seeds % 3), (2,))
    found = evaluate(generator, ring, num_samples=60)
    monkeypatch.setattr(pictures.grids, "point_plot", lambda *args, labels: plots.append((args, labels)) or _PICTURE)
    page = write_report(found, ring, tmp_path, told_labels=True).read_text()
    (((shown, reference), labels),) = plots
    np.testing.assert_array_equal(shown, np.concatenate([points[first::3] for first in range(3)]))
    np.testing.assert_array_equal(reference, found.reference)
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 20))
    assert "coloured by the label that they were made for" in page and "lie nearest to it" in page
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert "Label agreement" in pages.headlines(report)


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: "/".join(folder.parts[-4:-2]))
def test_the_packaged_pages_are_what_the_templates_give(folder):
    report = json.loads((folder / "report.json").read_text())
    drawn = {path.stem: path.read_bytes() for path in folder.glob("*.png")}
    classes_of = "mode" if "modes_found" in report["metrics"] else "class"
    for name, page in pages.render(report, drawn, classes_of).items():
        # Where a template changed: write these texts there.
        assert (folder / name).read_text() == page, name


def test_text_from_outside_cannot_become_markup(good, digits, tmp_path):
    evil = "<script>alert(1)</script>|x"
    classes = [{**entry, "name": f"{evil}{index}"} for index, entry in enumerate(good.classes)]
    changed = type(good)(**{**vars(good), "classes": classes, "notes": [evil]})
    page = write_report(changed, digits, tmp_path, objective=evil, path=evil).read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in page and "<script" not in markdown
    assert "&lt;script&gt;" in page and "\\|x0 |" in markdown


def test_the_terminal_gets_the_first_numbers_and_the_verdict(good, digits, tmp_path):
    report = json.loads((write_report(good, digits, tmp_path).parent / "report.json").read_text())
    lines = pages.headlines(report).splitlines()
    lead, *lines = lines
    assert lead == good.sections["generalization"]["verdict"]
    assert [line.partition(":")[0].strip() for line in lines] == [
        "Fréchet distance",
        "Precision",
        "Recall",
        "Coverage",
        "Mode collapse",
        "Equilibrium and generalisation",
        "Try next",
    ]
    distance = good.metrics["frechet_distance"]
    assert f"{distance['value']:.4g} (" in lines[0] and f"training data {distance['real']:.4g}" in lines[0]
    report["metrics"]["frechet_distance"].update(value=None, interval=None, real=None)
    assert pages.headlines(report).splitlines()[1] == "Fréchet distance: none"


def test_the_worst_verdict_leads():
    def of(level, verdict, **more):
        return {"level": level, "verdict": verdict, "rests_on": {}, **more}

    calm = {"mode_collapse": of("none", "a"), "non_convergence": of("none", "b")}
    lead = pages._lead(calm)
    assert lead["verdict"] == "No failure found; looked for: mode collapse and non-convergence."
    partial = {**calm, "generalization": of("partial", "c", try_next="d")}
    assert pages._lead(partial) == partial["generalization"]
    severe = {"vanishing_gradients": of("severe", "e"), **partial, "super_resolution": of("severe", "f")}
    assert pages._lead(severe)["verdict"] == "e"
    assert pages._lead({}) is None
    # No failure, but nothing that could be judged either.
    unready = {**calm, "mode_collapse": of("none", "not trained yet", try_next="more steps")}
    assert pages._lead(unready) == unready["mode_collapse"]
    assert [pages._badge(each) for each in unready.values()] == ["unclear", "none"]
    # The leading finding alone.
    long = {
        **calm,
        "generalization": of("severe", "It copies: 9 of 10; b; c.", leading="It copies: 9 of 10.", try_next="d"),
    }
    assert pages._lead(long)["verdict"] == "It copies: 9 of 10." and pages._lead(long)["try_next"] == "d"
    assert pages._badge(long["generalization"]) == "severe"


def test_the_page_tells_hyperparameters_time_and_how_to_make_it_again(good, digits, tmp_path):
    rows = [{"step": step, "images_per_second": speed, "critic_loss": 1.0} for step, speed in ((10, 64.0), (30, 32.0))]
    told = {"objective": "hinge", "dynamics": "consensus", "step": 30, "images_seen": 1920, "path": "runs/a b"}
    config = {"train": {"steps": 30}, "techniques": {}}
    page = html.unescape(write_report(good, digits, tmp_path, rows, **told, config=config).read_text())
    # 64 images a step: 10 s of the first ten steps, 40 s of the other twenty.
    assert "<td>Time of the steps</td><td>0:00:50</td>" in page
    assert "<h1>hinge, consensus, on digits</h1>" in page
    assert "<td>train.steps</td><td>30</td>" in page and "<td>Evaluated on</td><td>" in page
    assert "python -m export.evaluate '--workdir=runs/a b' --num_samples=1000 --seed=0" in page
    assert "python -m trainers.train '--config=runs/a b/config.json' --workdir=runs/again" in page
    of_model = html.unescape(write_report(good, digits, tmp_path / "model", origin="saved_model").read_text())
    assert "export.evaluate --saved_model=runs/one --data=digits --num_samples" in of_model
    assert "trainers.train" not in of_model and "Time of the steps" not in of_model


def test_samples_over_the_steps_are_on_the_page(good, digits, tmp_path):
    steps = {0: grids.png_bytes(_PICTURE), 1500: grids.png_bytes(_PICTURE)}
    report = json.loads((write_report(good, digits, tmp_path).parent / "report.json").read_text())
    page = write(report, good, [], tmp_path / "again", steps).read_text()
    assert page.count("data:image/png;base64," + base64.b64encode(steps[0]).decode()) == 2
    assert "<figcaption>Step 1,500</figcaption>" in page


def test_the_nearest_pairs_are_told_and_shown(good, digits, tmp_path):
    page = write_report(good, digits, tmp_path)
    report, text = json.loads((page.parent / "report.json").read_text()), page.read_text()
    for key, other in (("copies", "training_index"), ("duplicates", "other_seed")):
        first = good.pairs[key][0]
        expected = {"seed": first.seed, other: first.other, "distance": first.distance}
        assert report["pairs"][key][0] == expected and len(report["pairs"][key]) == 8
        picture = (page.parent / f"{key}.png").read_bytes()
        assert base64.b64encode(picture).decode() in text and f"({key}.png)" in (page.parent / "report.md").read_text()
        # A row of samples over a row of what each is near to.
        shown = grids.image_grid(
            np.concatenate([[pair.examples[side] for pair in good.pairs[key]] for side in (0, 1)]), 8
        )
        assert picture == grids.png_bytes(shown)
    without = write_report(dataclasses.replace(good, pairs=None), digits, tmp_path)
    assert "Nearest neighbours" not in without.read_text() and "Nearest neighbours" in text
