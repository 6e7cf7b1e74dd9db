"""Adds finished runs on images to the table of results: docs/results.json, and docs/results.md of it.

    python -m trainers.train --config=configs/fashion_mnist.py:fisher --config.train.steps=2000 --workdir=runs/fisher
    python -m export.evaluate --workdir=runs/fisher
    python -m benchmarks.results --workdirs=runs/fisher

Numbers are those of each run's report. A run of the same config takes the place of an earlier one.
"""

import json
import pathlib
import re

from absl import flags

from trainers import objectives, program
from zoo.errors import RequestError
from zoo.files import write_whole

#: Metrics of a report that have a column: of generators, and of those that upscale test images.
_METRICS = {"frechet_distance": "Fréchet distance", "precision": "precision", "recall": "recall"}
_RESTORED = {
    f"{metric}{suffix}": f"{name}{of}"
    for metric, name in {"psnr": "PSNR", "ssim": "SSIM", "perceptual_distance": "perceptual distance"}.items()
    for suffix, of in {"": "", "_of_bicubic": ", bicubic"}.items()
}
#: Metrics of some methods alone, in one column.
_OF_SOME = {"clustering_accuracy": "clustering accuracy", "label_agreement": "label agreement"}
#: What a config may differ in while its run is the same.
_OF_THE_MACHINE = ("log_every", "checkpoint_every", "sample_every", "steps_per_execution", "jit_compile")


def row(workdir):
    """What the table keeps of a run, a dict.

    Args:
        workdir: path of a run with a report on images.

    Raises:
        RequestError: there is no report, or it is not on images.
    """
    workdir = pathlib.Path(workdir)
    path = workdir / "report" / "report.json"
    if not path.exists():
        raise RequestError(f"{workdir}: no report/report.json; make it with python -m export.evaluate --workdir")
    report = json.loads(path.read_text())
    generator, found = report["generator"], report["metrics"]
    if "features" not in report:
        raise RequestError(f"{path}: a report on {report['data']['source']}; expected one on images")
    rates = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    rates = [entry for entry in rates if "images_per_second" in entry]
    config = {**generator["config"], "train": dict(generator["config"]["train"])}
    for key in _OF_THE_MACHINE:
        config["train"].pop(key, None)
    # A folder's images are the same wherever it lies.
    source = re.sub("^folder:.*/(?=[^/]+/?$)", "folder:", report["data"]["source"])
    config["data"] = {**config["data"], "source": source}
    # Steps between two lines, at the rate of the second.
    steps = [0, *(entry["step"] for entry in rates)]
    images = generator["images_seen"] / generator["step"]
    seconds = sum(
        (step - before) * images / entry["images_per_second"] for before, step, entry in zip(steps, steps[1:], rates)
    )
    return {
        "data": {**report["data"], "source": source},
        "features": report["features"]["name"],
        "steps": generator["step"],
        "images_seen": generator["images_seen"],
        "seconds": round(seconds),
        "seed": generator["seed"],
        "num_samples": report["sampling"]["num_samples"],
        "metrics": found,
        "config": config,
    }


def merged(rows, others):
    """`rows` and `others` in the table's order; of two with one config, the one of `others`."""
    by_config = {json.dumps(each["config"], sort_keys=True): each for each in (*rows, *others)}
    return sorted(by_config.values(), key=lambda each: (each["data"]["source"], _name(each["config"]), each["steps"]))


def page(rows, name):
    """The table in Markdown; `name` is that of the file of its numbers."""
    lines = [
        "# Results on images",
        "",
        "Short runs of single methods, written by `python -m benchmarks.results --workdirs=...` of the runs' reports. "
        f"Each run's config and all its numbers are in [{name}]({name}). Fréchet distances compare within a data set, "
        "not between two. Intervals, at 95 %, are over the samples, not over seeds. Full runs are the "
        "[pretrained models](pretrained.md).",
    ]
    for source, restores in dict.fromkeys(map(_table, rows)):
        of_source = [each for each in rows if _table(each) == (source, restores)]
        shape, features = "×".join(map(str, of_source[0]["data"]["data_shape"])), of_source[0]["features"]
        untrained = of_source[0]["metrics"]["frechet_distance"]["untrained"]
        told = (
            "super-resolution of test images"
            if restores
            else f"an untrained generator has a Fréchet distance of {untrained:.4g}"
        )
        metrics = _RESTORED if restores else _METRICS
        lines += [
            "",
            f"## {source.rpartition('/')[2].rpartition(':')[2]}{', super-resolution' * restores}",
            "",
            f"{shape}, features of {features}; {told}.",
            "",
            f"| method | networks | images seen | seconds | seed | {' | '.join(metrics.values())} | |",
            f"|{'---|' * (6 + len(metrics))}",
        ]
        for each in of_source:
            numbers = [f"{each['images_seen']:,}", f"{each['seconds']:,}", str(each["seed"])]
            cells = [f"`{_name(each['config'])}`", _networks(each["config"]), *numbers]
            found = each["metrics"]
            cells += [_cell(found.get(metric)) for metric in metrics]
            more = [f"{label} {_cell(found[metric])}" for metric, label in _OF_SOME.items() if metric in found]
            lines.append(f"| {' | '.join([*cells, ', '.join(more)])} |")
    return "\n".join(lines) + "\n"


def _table(row):
    return row["data"]["source"], "psnr" in row["metrics"]


def _name(config):
    dynamics = "" if config["dynamics"] == "alternating" else f"+{config['dynamics']}"
    penalties = [name for name, options in config["techniques"].items() if options.get("weight")]
    return f"{config['objective']}{dynamics}" + "".join(f", {name}" for name in penalties)


def _networks(config):
    players = ["generator", *({"critic"} & set(objectives.METHODS.load(config["objective"]).configured))]
    families = dict.fromkeys(config[player].get("family") for player in players)
    return ", ".join(filter(None, families))


def _cell(metric):
    if metric is None or metric["value"] is None:
        return "—"
    low, high = metric["interval"]
    return f"{metric['value']:.3g} ({low:.3g} to {high:.3g})"


def main(argv):
    del argv
    given = flags.FLAGS
    if not given.workdirs:
        raise RequestError("--workdirs: none given; expected directories of finished runs")
    out = pathlib.Path(given.out)
    numbers = out.with_suffix(".json")
    rows = json.loads(numbers.read_text()) if numbers.exists() else []
    rows = merged(rows, [row(workdir) for workdir in given.workdirs])
    write_whole(numbers, (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode())
    write_whole(out, page(rows, numbers.name).encode())
    print(out)


if __name__ == "__main__":
    flags.DEFINE_list("workdirs", [], "Directories of finished runs with a report.")
    flags.DEFINE_string("out", "docs/results.md", "The table; its numbers go beside it, to the same name in .json.")
    program.run(main)
