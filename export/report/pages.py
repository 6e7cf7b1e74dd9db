"""What report.json holds, in words: the pages report.html and report.md, and the first lines for a terminal."""

import base64
import datetime
import html
import shlex
import types

import jinja2
import numpy as np
from etils import epath

from export.metrics import intervals
from trainers.config import flatten
from zoo import grids

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


def render(report, pictures, classes_of, rows=(), steps=types.MappingProxyType({})):
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
    return {**section, "verdict": section.get("leading", section["verdict"])}


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
