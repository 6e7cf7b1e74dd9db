"""Evaluates a generator and writes a report on it.

    python -m export.evaluate --workdir=DIR
    python -m export.evaluate --saved_model=PATH --data=SOURCE [--image_size=PIXELS] --out=DIR
    python -m export.evaluate --samples=PATH --data=SOURCE [--image_size=PIXELS] --out=DIR

The first writes ``DIR/report/``: report.json (its format: `export.report`), report.html (one file that needs no
other), report.md and the figures. The second takes a generator of any origin: a SavedModel with a signature from
latents to images or points (`export.generators.Generator.load`). A model that `export.saved_model` wrote is sampled by
the same seeds through the same function as its workdir, so that both give the same numbers. The third takes samples
that another tool made: a folder of images, or an .npz, .npy or .csv file (`export.evaluation.given_samples`).
"""

import json

from absl import flags, logging
from etils import epath

from export.evaluation import subject
from export.evaluation.evaluator import AUTO, check_num_samples, evaluate
from export.report import document, pages
from export.report.writer import write
from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, writing
from zoo.pretrained import cards, find_saved_model

#: Most samples of a quick look.
_QUICK_SAMPLES = 2_000


def report_on(
    evaluated,
    directory,
    where,
    *,
    features=AUTO,
    num_samples=10_000,
    first_seed=0,
    surrogate_tasks=False,
    quick=False,
):
    """Evaluates a generator and writes the report.

    Args:
        evaluated: `export.evaluation.subject.Subject`.
        directory: epath.Path of the report's directory; made if it is not there.
        where: what a message calls the directory.
        features, num_samples, first_seed, surrogate_tasks, quick: as of `export.evaluation.evaluator.evaluate`.

    Returns:
        epath.Path of report.html.

    Raises:
        RequestError: as of `evaluate`; or the directory cannot be written.
    """
    evaluation = evaluate(
        evaluated.generator,
        evaluated.data,
        features=features,
        num_samples=num_samples,
        first_seed=first_seed,
        untrained=evaluated.untrained,
        run=evaluated.run,
        surrogate_tasks=surrogate_tasks,
        quick=quick,
        where=evaluated.where,
    )
    given = evaluated.generator.available
    seeds = {"first_seed": first_seed, "seeded": evaluated.generator.seeded} if given is None else {"num_given": given}
    report = document.compose(
        evaluation, generator=evaluated.described, data=evaluated.data, num_asked=num_samples, **seeds
    )
    with writing(where, directory):
        return write(report, evaluation, evaluated.log, directory, evaluated.steps)


def main(argv):
    del argv
    given = flags.FLAGS
    flags_of = ("workdir", "saved_model", "samples")
    named = [f"--{name}" for name in flags_of if getattr(given, name)]
    if len(named) != 1:
        asked = f"{' and '.join(named)} are" if named else "none is"
        raise RequestError(f"--workdir, --saved_model, --samples: {asked} given; expected one of them")
    if given.workdir and (given.data or given.image_size or given.out):
        raise RequestError(
            "--data, --image_size, --out: only for --saved_model and --samples; a workdir knows its data and its place"
        )
    if given.signature and not given.saved_model:
        raise RequestError("--signature: only for --saved_model")
    if given.seed and given.samples:
        raise RequestError(f"--seed {given.seed}: only for generators; --samples are there already")
    if given.features != AUTO:
        from export.metrics import features

        if given.features not in features.available():
            features.load_features(given.features)
    num_samples = min(given.num_samples, _QUICK_SAMPLES) if given.quick else given.num_samples
    options = {
        "features": given.features,
        "num_samples": num_samples,
        "first_seed": given.seed,
        "surrogate_tasks": given.surrogate_tasks,
        "quick": given.quick,
    }
    logging.set_verbosity(logging.INFO)
    if given.workdir:
        from trainers import workdir as workdirs

        out, where = epath.Path(given.workdir) / "report", "--workdir"
        check_num_samples(num_samples, workdirs.check_run(given.workdir))
        check_writable(out, where)
        evaluated = subject.of_workdir(given.workdir)
    else:
        out, where = epath.Path(given.out or "report").expanduser(), "--out"
        check_writable(out, where)
        if given.samples:
            evaluated = subject.of_samples(given.samples, given.data, given.image_size)
        else:
            saved_model = find_saved_model(given.saved_model)
            check_num_samples(num_samples, cards.read(saved_model).get("data_shape", ()))
            evaluated = subject.of_saved_model(saved_model, given.data, given.image_size, given.signature)
    page = report_on(evaluated, out, where, **options)
    print(pages.headlines(json.loads((page.parent / "report.json").read_text())))
    print(page)


def run():
    """Console entry point."""
    flags.DEFINE_string("workdir", None, "Directory of a training run; the report goes to its report/.")
    flags.DEFINE_string("saved_model", None, "Or a SavedModel: a version's directory, a model's, or zoo:NAME.")
    about = "Or samples of any other tool: a folder of images, or an .npz, .npy or .csv file."
    flags.DEFINE_string("samples", None, about)
    about = "Data to measure --samples or --saved_model against; of the latter its model card's if not given."
    flags.DEFINE_string("data", None, about)
    about = "Side to resize images to: the data's for --saved_model (its own if not given), both for --samples."
    flags.DEFINE_integer("image_size", None, about, 1)
    about = "With --saved_model: name of the signature from latents; serving_default, or the only one, if not given."
    flags.DEFINE_string("signature", None, about)
    flags.DEFINE_string("out", None, "For --saved_model, --samples: directory for the report; ./report if not given.")
    about = "Samples; of images never more than there are test images, of points up to 100,000."
    flags.DEFINE_integer("num_samples", 10_000, about, 20)
    about = f"A first look in a minute: at most {_QUICK_SAMPLES:,} samples, and fewer steps of the diagnostics."
    flags.DEFINE_bool("quick", False, about)
    flags.DEFINE_string("features", AUTO, "Feature extractor for images; auto takes what fits the data.")
    about = "Measure imputation and denoising of images through the generator's range too; some seconds to minutes."
    flags.DEFINE_bool("surrogate_tasks", False, about)
    flags.DEFINE_integer("seed", 0, "Seed of the first sample; the following ones count up.", 0, 2**62)
    program.run(main)


if __name__ == "__main__":
    run()
