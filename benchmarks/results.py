"""Adds finished runs to the tables of results: docs/results.json, and docs/results.md of it.

    python -m trainers.train --config=configs/fashion_mnist.py:fisher --config.train.steps=2000 --workdir=runs/fisher
    python -m export.evaluate --workdir=runs/fisher
    python -m benchmarks.results --workdirs=runs/fisher

The tables are those of `export.leaderboard`. Numbers are those of each run's report; a run of the same config takes the
place of an earlier one.
"""

import json
import pathlib

from absl import flags

from export.comparison import entries, pages, tables
from trainers import program
from zoo.errors import RequestError
from zoo.files import write_whole


def merged(found, others):
    """`found` and `others`, lists of `Entry`, in the tables' order; of two of one run, the one of `others`."""
    by_run = {(each.comparable, each.same_but_for_the_seed, each.seed): each for each in (*found, *others)}
    return sorted(by_run.values(), key=lambda each: (each.data["source"], each.method, each.steps or 0, each.seed or 0))


def page(numbers, name):
    """The tables in Markdown; `numbers` is what their file, whose name is `name`, holds."""
    about = (
        "Short runs of single methods, in the tables of `export.leaderboard`; `python -m benchmarks.results "
        f"--workdirs=...` adds the reports of runs. Each run's config and all its numbers are in [{name}]({name}). "
        "Full runs are the [pretrained models](pretrained.md)."
    )
    return pages.markdown(tables.make([entries.Entry.from_json(each) for each in numbers]), "Results", about)


def main(argv):
    del argv
    given = flags.FLAGS
    if not given.workdirs:
        raise RequestError("--workdirs: none given; expected directories of finished runs")
    out = pathlib.Path(given.out)
    file = out.with_suffix(".json")
    held = [entries.Entry.from_json(each) for each in json.loads(file.read_text())] if file.exists() else []
    found = merged(held, [entries.of_workdir(path) for path in given.workdirs])
    numbers = [each.to_json() for each in found]
    write_whole(file, (json.dumps(numbers, indent=1, ensure_ascii=False) + "\n").encode())
    write_whole(out, page(numbers, file.name).encode())
    print(out)


if __name__ == "__main__":
    flags.DEFINE_list("workdirs", [], "Directories of finished runs with a report.")
    flags.DEFINE_string("out", "docs/results.md", "The table; its numbers go beside it, to the same name in .json.")
    program.run(main)
