"""Writes a report: report.json, report.html (one file that needs no other), report.md, and its figures."""

import base64
import datetime
import html
import json
import os
import platform
import shlex
import types

import jinja2
import numpy as np
from etils import epath

from export.metrics import intervals
from export.report import SCHEMA_VERSION, figures
from trainers.config import flatten
from zoo import grids
from zoo.files import write_whole

_HEADLINES = (
    "psnr",
    "ssim",
    "perceptual_distance",
    "frechet_distance",
    "modes_found",
    "high_quality_share",
    "label_agreement",
    "caption_agreement",
    "clustering_accuracy",
    "precision",
    "recall",
    "coverage",
    "sliced_wasserstein",
    "exact_wasserstein",
)
_SECTIONS = {
    "mode_collapse": "Mode collapse",
    "vanishing_gradients": "Vanishing gradients",
    "non_convergence": "Non-convergence",
    "generalization": "Equilibrium and generalisation",
    "super_resolution": "Loss against bicubic resizing",
}
#: Labels that are not the keys' words.
_NAMES = {"fid": "FID", "ms_ssim": "MS-SSIM"}
_FACTS = ("objective", "dynamics", "step", "images_seen", "seed", "parameters", "latent_dim")
_ABOUT_INTERVALS = (
    "Intervals cover the value that is expected over new draws of as many samples and held-out examples, "
    "for this generator; another training differs by more."
)
#: Section → what its figure shows.
_FIGURES = {
    "vanishing_gradients": "A critic with new weights learns to tell the data from the samples of the generator, held "
    "fixed: its error, and the generator's gradient under two losses, its norm and its variance over batches",
    "non_convergence": "Eigenvalues of the Jacobian of the players' moves, axes linear near 0 and logarithmic beyond; "
    "below, where there is an older checkpoint, the cosine between the moves and the way from there",
    "generalization": "What either player gains of its loss alone, on held-out examples",
}
_BETTER = {"lower": "lower is better", "higher": "higher is better", "one": "1 is best"}


def compose(evaluation, *, generator, data, num_asked, first_seed=None, seeded=None, num_given=None):
    """Puts a report together in the format of `export.report`.

    Args:
        evaluation: `export.evaluation.result.Evaluation`.
        generator: dict, the report's "generator".
        data: `zoo.datasets.Dataset`.
        num_asked: number of samples that were asked for.
        first_seed: seed of the first sample; None for samples without a generator.
        seeded: whether the model itself turns seeds into samples; None likewise.
        num_given: how many samples there are without a generator, else None.

    Returns:
        The report, a dict of JSON values.
    """
    import tensorflow as tf

    report = {
        "schema_version": SCHEMA_VERSION,
        "generated": {
            "by": "tf-gan-zoo export.evaluate",
            "tensorflow": tf.__version__,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "hardware": _hardware(),
        },
        "generator": generator,
        "data": {
            "source": data.name,
            "data_shape": list(data.data_shape),
            "num_classes": data.num_classes,
            "class_names": list(data.class_names) if data.class_names else None,
            "num_train": data.num_examples("train"),
            "num_test": data.num_examples("test"),
        },
        "sampling": {
            "num_samples": evaluation.num_samples,
            "num_asked": num_asked,
            "num_reference": evaluation.num_reference,
            **_told({"first_seed": first_seed, "seeded": seeded, "num_given": num_given}),
        },
        "features": evaluation.features,
        "metrics": evaluation.metrics,
        "classes": evaluation.classes,
        "pairs": _pairs(evaluation.pairs),
        "codes": evaluation.codes,
        "sections": evaluation.sections,
        "notes": evaluation.notes,
    }
    return _told(report)


def _told(facts):
    return {key: value for key, value in facts.items() if value is not None}


def _hardware():
    """Processors and accelerators of this machine, in words."""
    import tensorflow as tf

    devices = [
        tf.config.experimental.get_device_details(device).get("device_name", device.device_type)
        for device in tf.config.list_physical_devices()
        if device.device_type not in ("CPU", "XLA_CPU", "XLA_GPU")
    ]
    cores = os.cpu_count()
    return ", ".join([f"{cores} processor core{'s' * (cores != 1)} ({platform.machine()})", *devices])


def _pairs(pairs):
    """The nearest pairs as report.json has them, or None."""
    if pairs is None:
        return None
    other = {"copies": "training_index", "duplicates": "other_seed"}
    return {
        key: [{"seed": pair.seed, other[key]: pair.other, "distance": pair.distance} for pair in found]
        for key, found in pairs.items()
    }


def write(report, evaluation, rows, directory, steps=types.MappingProxyType({})):
    """Writes a report and its figures; every file appears whole, report.json last.

    Args:
        report: dict, of `compose`.
        evaluation: what it was composed of, for the pictures.
        rows: rows of a run's metrics.jsonl, or [].
        directory: where to; made if it is not there.
        steps: {step: encoded PNG} of samples that were drawn during training.

    Returns:
        epath.Path of report.html.

    Raises:
        OSError: the directory cannot be written.
    """
    directory = epath.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(evaluation, rows)
    for name, content in pictures.items():
        write_whole(directory / f"{name}.png", content)
    for name, page in _pages(report, pictures, evaluation.classes_of, rows, steps).items():
        write_whole(directory / name, page.encode())
    text = json.dumps(report, indent=2, allow_nan=False, default=_plain) + "\n"
    write_whole(directory / "report.json", text.encode())
    return directory / "report.html"


def _pages(report, pictures, classes_of, rows=(), steps=types.MappingProxyType({})):
    """{file name: text} of report.html and report.md: from what report.json holds, the pictures beside it, and what is
    left of the training."""
    context = {
        "lead": _lead(report["sections"]),
        "steps": steps,
        "hyperparameters": _hyperparameters(report),
        "commands": _commands(report),
        "report": report,
        "title": _title(report),
        "headlines": _headlines(report),
        "sections": {key: _SECTIONS.get(key, _label(key)) for key in report["sections"]},
        "facts": _facts(report, rows),
        "what": classes_of,
        "pictures": pictures,
        "shown_by": _FIGURES,
        "samples_shown": _samples_shown(report),
        "about_intervals": _ABOUT_INTERVALS,
        "intervals": _interval_kinds(report["metrics"]),
        "tried": intervals.TRIED,
    }
    return {
        name: environment.get_template(f"{name}.jinja").render(context)
        for name, environment in (("report.html", _HTML), ("report.md", _MARKDOWN))
    }


def _interval_kinds(metrics):
    """[{names, method, caveat}]: how the intervals of the metrics were made, a row for all that are alike."""
    kinds = {}
    for name, metric in metrics.items():
        if metric["interval"]:
            kinds.setdefault((metric["method"], metric.get("caveat")), []).append(_label(name))
    return [
        {"names": ", ".join(names), "method": intervals.METHODS[method], "caveat": caveat}
        for (method, caveat), names in kinds.items()
    ]


def headlines(report):
    """The first numbers of a report and its verdicts, lines of text for a terminal."""
    lines = []
    for name in _headlines(report):
        metric = report["metrics"][name]
        line = f"{_label(name)}: {_value(metric)}"
        if metric.get("interval"):
            line += " ({} to {})".format(*map(_number, metric["interval"]))
        if metric.get("real") is not None:
            line += f"; training data {_number(metric['real'])}"
        lines.append(line)
    if lead := _lead(report["sections"]):
        lines.insert(0, lead["verdict"])
    for key, section in report["sections"].items():
        lines.append(f"{_SECTIONS.get(key, _label(key))}: {section['verdict']}")
        if "try_next" in section:
            lines.append(f"  Try next: {section['try_next']}")
    return "\n".join(lines)


def _lead(sections):
    """The verdict that stands first, or None without sections.

    It is the worst one, by level and then in the order of the sections. Where all levels are "none", it is the first
    that has something to try, or else a sentence that nothing was found. Of its verdict the leading finding is given;
    the section has them all.
    """
    if not sections:
        return None
    levels = ("none", "partial", "severe")
    worst = max(sections.values(), key=lambda section: levels.index(section["level"]))
    if worst["level"] == "none":
        # No failure, but something to do first, such as more training.
        if unready := [section for section in sections.values() if "try_next" in section]:
            return _leading(unready[0])
        names = [_SECTIONS.get(key, _label(key)).lower() for key in sections]
        named = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
        return {"level": "none", "verdict": f"No failure found; looked for: {named}."}
    return _leading(worst)


def _leading(section):
    first, *others = section["verdict"].split("; ")
    return {**section, "verdict": f"{first}."} if others else section


def _badge(section):
    """The word for a section's level. Where no failure is seen but there is something to do first, there are no means
    yet to see one."""
    return "unclear" if section["level"] == "none" and "try_next" in section else section["level"]


def _hyperparameters(report):
    """{key: value} of the run's config, as text; {} where it is not known."""
    return {key: str(value) for key, value in flatten(report["generator"].get("config") or {}).items()}


def _commands(report):
    """{what it does: command} that make the report, and the run, again."""
    generator, sampling = report["generator"], report["sampling"]
    origin = generator["origin"]
    given = {
        origin: generator["path"],
        **({} if origin == "workdir" else {"data": report["data"]["source"]}),
        **({"num_samples": sampling["num_asked"]} if "num_asked" in sampling else {}),
        **({"seed": sampling["first_seed"]} if "first_seed" in sampling else {}),
    }
    flags = " ".join(shlex.quote(f"--{name}={value}") for name, value in given.items())
    commands = {"This report:": f"python -m export.evaluate {flags}"}
    if origin == "workdir":
        config = shlex.quote(f"--config={generator['path']}/config.json")
        commands["The run, in a new directory, to the same weights on the same hardware:"] = (
            f"python -m trainers.train {config} --workdir=runs/again"
        )
    return commands


def _headlines(report):
    return [name for name in _HEADLINES if name in report["metrics"]][:4]


def _pictures(evaluation, rows):
    """{file name: encoded PNG}, in the order of the page."""
    samples, reference, by_class = evaluation.samples, evaluation.reference, evaluation.samples_by_class
    names = labels = None
    if by_class:
        names, samples = list(by_class), np.concatenate(list(by_class.values()))
        labels = np.repeat(np.arange(len(names)), [len(examples) for examples in by_class.values()])
    if samples.ndim == 4:
        pictures = {"samples": grids.image_grid(samples, names=names), "real": grids.image_grid(reference)}
    else:
        pictures = {"samples": grids.point_plot(samples, reference, labels=labels)}
    pictures = {name: grids.png_bytes(picture) for name, picture in pictures.items()}
    if evaluation.classes:
        pictures["classes"] = figures.class_histogram(evaluation.classes, evaluation.classes_of)
        if "agreement" in evaluation.classes[0]:
            pictures["agreement"] = figures.label_agreement(evaluation.classes, evaluation.classes_of)
    if evaluation.traversals:
        rows_of = evaluation.traversals
        pictures["traversals"] = grids.png_bytes(
            grids.image_grid(np.concatenate(list(rows_of.values())), names=list(rows_of))
        )
    if evaluation.interpolations is not None:
        images = np.concatenate(evaluation.interpolations)
        pictures["interpolations"] = grids.png_bytes(
            grids.image_grid(images, columns=len(evaluation.interpolations[0]))
        )
    pictures |= figures.of_sections(evaluation.sections)
    for key, found in (evaluation.pairs or {}).items():
        shown = [pair.examples for pair in found if pair.examples is not None]
        if shown:
            # The samples in the first row, what each is near to under it in the second.
            pictures[key] = grids.png_bytes(grids.image_grid(np.concatenate(np.stack(shown, axis=1)), len(shown)))
    if curves := figures.loss_curves(rows):
        pictures["losses"] = curves
    return pictures


def _samples_shown(report):
    """What is seen in the picture of the samples, in words."""
    shape, num_classes = report["data"]["data_shape"], report["data"]["num_classes"]
    told = report["generator"].get("told_labels")
    given = report["generator"].get("origin") == "samples"
    if given and not told:
        return "Given samples, chosen at random" + (" over held-out data" if len(shape) == 1 else "")
    if len(shape) == 1:
        of_labels = ", coloured by the label that they were made for," if told else ""
        return f"Generated points of the first seeds{of_labels} over held-out data"
    if report["generator"].get("told_captions"):
        return "Generated, uncurated: a row for each caption, a column for each of the first seeds"
    if not told:
        return "Generated: the first seeds, uncurated"
    rows = "class" if num_classes <= grids.MOST_ROWS else f"of the first {grids.MOST_ROWS} classes"
    if given:
        return f"Given samples, chosen at random: a row for each {rows}"
    return f"Generated, uncurated: a row for each {rows}, a column for each of the first seeds"


def _title(report):
    generator, source = report["generator"], report["data"]["source"]
    if not generator.get("objective"):
        return f"{epath.Path(generator['path']).name} on {source}"
    conditional = "Conditional " if generator.get("told_labels") else ""
    dynamics = f", {generator['dynamics']}," if generator.get("dynamics") else ""
    return f"{conditional}{generator['objective']}{dynamics} on {source}"


def _training_seconds(report, rows):
    """Seconds that the steps took, by the speed that the run logged; None where it logged none."""
    step, images = (report["generator"].get(key) for key in ("step", "images_seen"))
    if not step or not rows or not all(row.get("images_per_second") for row in rows):
        return None
    steps = np.diff([0, *(row["step"] for row in rows)])
    return float(np.sum(steps * (images / step) / [row["images_per_second"] for row in rows]))


def _facts(report, rows=()):
    generator, data, sampling = report["generator"], report["data"], report["sampling"]
    facts = {_label(key): _count(generator[key]) for key in _FACTS if key in generator}
    given = generator["origin"] == "samples"
    if generator.get("told_labels") and not given:
        facts["Labels"] = "chosen by the seed where none are given"
    if generator.get("told_captions"):
        facts["Captions"] = "of held-out images, chosen by the seed where none are given"
    facts["Samples from" if given else "Weights from"] = generator["path"]
    facts["Data"] = f"{data['source']}, {'×'.join(map(str, data['data_shape']))}"
    if data["num_train"] is not None:
        facts["Training images"], facts["Test images"] = _count(data["num_train"]), _count(data["num_test"])
    if "num_given" in sampling:
        facts["Samples there"] = _count(sampling["num_given"])
    else:
        last = sampling["first_seed"] + sampling["num_samples"] - 1
        how = "" if sampling["seeded"] else " (made into latents by tf-gan-zoo)"
        facts["Seeds of the samples"] = f"{sampling['first_seed']} to {last}{how}"
    if seconds := _training_seconds(report, rows):
        facts["Time of the steps"] = str(datetime.timedelta(seconds=round(seconds)))
    if "hardware" in report["generated"]:
        facts["Evaluated on"] = report["generated"]["hardware"]
    facts["TensorFlow"], facts["Evaluated"] = report["generated"]["tensorflow"], report["generated"]["time"]
    return facts


def _count(value):
    return f"{value:,}" if isinstance(value, int) else str(value)


def _label(key):
    if key in _NAMES:
        return _NAMES[key]
    text = (
        key.replace("_", " ")
        .replace("frechet", "Fréchet")
        .replace("wasserstein", "Wasserstein")
        .replace("psnr", "PSNR")
        .replace("ssim", "SSIM")
        .replace("latent dim", "latents")
    )
    return text[:1].upper() + text[1:]


def _value(metric, number="value"):
    """A metric's number as text: a count of a total, or four significant digits."""
    value = metric[number]
    if value is None:
        return "none"
    if number == "value" and "of" in metric:
        return f"{value} of {metric['of']}"
    return _number(value)


def _number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _plain(value):
    """What JSON does not know: NumPy numbers, tuples inside configs."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _cell(value):
    """Text for a cell of a Markdown table: no cell ends early, no tag opens."""
    return html.escape(" ".join(str(value).split()), quote=False).replace("|", "\\|")


def _environment(autoescape):
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export", "report"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        label=_label,
        number=_number,
        value=_value,
        count=_count,
        percent=lambda share: "—" if share is None else f"{100 * share:.1f} %",
        cell=_cell,
        better=_BETTER.get,
        badge=_badge,
        data_uri=lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
    )
    return environment


_HTML, _MARKDOWN = _environment(True), _environment(False)
