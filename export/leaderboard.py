"""Sets reports side by side: which method is better, and whether that can be told.

    python -m export.leaderboard --workdirs='runs/*' --out=leaderboard
    python -m export.leaderboard --saved_models=zoo:digits/conditional,models/mine --reports=report --out=leaderboard

It writes leaderboard.html (one file that needs no other, sorted by a click), leaderboard.md and leaderboard.json (its
format: `export.comparison`). Data sets, feature extractors and numbers of samples are never mixed in one table. Runs
that differ only in the seed are one row, with the mean and standard deviation over the seeds.
"""

import glob
import json
import os
import subprocess
import sys

from absl import flags, logging
from etils import epath

from export.comparison import entries, pages, tables
from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing
from zoo.pretrained import find_saved_model
from zoo.pretrained.networks import EXTRA


def matching(patterns, where):
    """Paths that glob patterns match, sorted, and names without a pattern as they are, each once.

    Raises:
        RequestError: a pattern matches nothing.
    """
    found = {}
    for pattern in patterns:
        paths = [pattern] if not glob.has_magic(pattern) else sorted(glob.glob(os.path.expanduser(pattern)))
        if not paths:
            raise RequestError(f"{where}: nothing matches {pattern!r}")
        found |= dict.fromkeys(paths)
    return list(found)


def runs(patterns):
    """The workdirs among the paths of patterns. What a glob pattern matches beside runs is left out, with a warning.

    Raises:
        RequestError: a pattern matches no run.
    """
    found = []
    for pattern in patterns:
        paths = matching([pattern], "--workdirs")
        if glob.has_magic(pattern):
            strange = [path for path in paths if not (epath.Path(path) / "config.json").exists()]
            paths = [path for path in paths if path not in strange]
            if not paths:
                raise RequestError(f"--workdirs: no run (folder with a config.json) matches {pattern!r}")
            if strange:
                logging.warning("--workdirs: left out, for they hold no run: %s", ", ".join(strange))
        found += paths
    return list(dict.fromkeys(found))


def _evaluate(*options):
    """Runs `export.evaluate`, in a process of its own: it needs TensorFlow, and its memory is free again afterwards."""
    logging.info("Evaluating: %s", " ".join(options))
    done = subprocess.run([sys.executable, "-m", "export.evaluate", *options], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        kind = RequestError if done.returncode == 2 else program.RunFailed
        raise kind(f"--evaluate: python -m export.evaluate {' '.join(options)} ended with {done.returncode}")


def read(workdirs, saved_models, reports, evaluate=False, out=None):
    """The entries of all that is named.

    Args:
        workdirs, saved_models, reports: lists of paths and glob patterns.
        evaluate: whether to make the reports that are missing.
        out: epath.Path below which a SavedModel's report is written, in reports/.

    Returns:
        List of `export.comparison.entries.Entry`.

    Raises:
        RequestError: something named is not there, or has no report.
    """
    workdirs, models = runs(workdirs), matching(saved_models, "--saved_models")
    folders = matching(reports, "--reports")
    found = []
    for path in workdirs:
        if evaluate and not (epath.Path(path) / "report" / "report.json").exists():
            _evaluate(f"--workdir={path}")
        found.append(entries.of_workdir(path))
    for path in models:
        version = find_saved_model(path, "--saved_models")
        if evaluate and not (version / EXTRA / "report.json").exists():
            folder = out / "reports" / path.strip("/").replace("/", "_")
            if not (folder / "report.json").exists():
                _evaluate(f"--saved_model={path}", f"--out={folder}")
            found.append(entries.of_report(folder, "--saved_models"))
        else:
            found.append(entries.of_saved_model(path))
    return found + [entries.of_report(folder) for folder in folders]


def main(argv):
    del argv
    given = flags.FLAGS
    if not (given.workdirs or given.saved_models or given.reports):
        raise RequestError("--workdirs, --saved_models, --reports: none is given; expected reports to compare")
    if not given.out:
        raise RequestError("--out: missing; expected a directory for the leaderboard")
    logging.set_verbosity(logging.INFO)
    out = epath.Path(given.out).expanduser()
    check_writable(out, "--out")
    found = read(given.workdirs, given.saved_models, given.reports, given.evaluate, out)
    known = sorted({metric for entry in found for metric in entry.metrics})
    for metric in given.metrics:
        if metric not in known:
            raise RequestError(f"--metrics: {metric!r} is in no report; they have {', '.join(known)}")
    made = tables.make(found, given.metrics)
    contents = {
        "leaderboard.json": json.dumps(pages.to_json(made), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "leaderboard.md": pages.markdown(made),
        "leaderboard.html": pages.page(made),
    }
    with writing("--out", out):
        out.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            write_whole(out / name, text.encode())
    for table in made:
        print(pages.headline(table))
    print(out / "leaderboard.html")


def run():
    """Console entry point."""
    flags.DEFINE_list("workdirs", [], "Directories of training runs with a report; * and ? match many.")
    flags.DEFINE_list("saved_models", [], "SavedModels with a report: a version's directory, a model's, or zoo:NAME.")
    flags.DEFINE_list("reports", [], "Directories of reports, such as those of export.evaluate --samples.")
    flags.DEFINE_string("out", None, "Directory for leaderboard.html, leaderboard.md and leaderboard.json.")
    flags.DEFINE_list("metrics", [], "Metrics to show, the first of which ranks; the usual ones if not given.")
    flags.DEFINE_bool("evaluate", False, "Evaluate what has no report yet, which takes minutes each.")
    program.run(main)


if __name__ == "__main__":
    run()
