"""Evaluates a generator and writes a report on it.

    python -m export.evaluate --workdir=DIR
    python -m export.evaluate --saved_model=PATH --data=SOURCE [--image_size=PIXELS] --out=DIR

The first writes ``DIR/report/``: report.json (its format: `export.report`), report.html (one file that needs no
other), report.md and the figures. The second takes a generator of any origin: a SavedModel whose ``serving_default``
maps latents to images in [-1, 1]. A model that `export.saved_model` wrote is sampled by the same seeds through the same
function as its workdir, so that both give the same numbers.
"""

import json

from absl import flags, logging
from etils import epath

from export.evaluation import subject
from export.evaluation.evaluator import AUTO, check_num_samples, evaluate
from export.report import writer
from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, writing
from zoo.pretrained import cards, find_saved_model


def report_on(evaluated, directory, where, *, features=AUTO, num_samples=10_000, first_seed=0, surrogate_tasks=False):
    """Evaluates a generator and writes the report.

    Args:
        evaluated: `export.evaluation.subject.Subject`.
        directory: epath.Path of the report's directory; made if it is not there.
        where: what a message calls the directory.
        features, num_samples, first_seed, surrogate_tasks: as of `export.evaluation.evaluator.evaluate`.

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
        where=evaluated.where,
    )
    report = writer.compose(
        evaluation,
        generator=evaluated.described,
        data=evaluated.data,
        num_asked=num_samples,
        first_seed=first_seed,
        seeded=evaluated.generator.seeded,
    )
    with writing(where, directory):
        return writer.write(report, evaluation, evaluated.log, directory)


def main(argv):
    del argv
    given = flags.FLAGS
    if bool(given.workdir) == bool(given.saved_model):
        raise RequestError(
            f"--workdir, --saved_model: {'both' if given.workdir else 'neither'} given; expected one of them"
        )
    if given.workdir and (given.data or given.image_size or given.out):
        raise RequestError(
            "--data, --image_size, --out: only for --saved_model; a workdir knows its data and its place"
        )
    if given.features != AUTO:
        from export.metrics import features

        if given.features not in features.available():
            features.load_features(given.features)
    options = {"features": given.features, "num_samples": given.num_samples, "first_seed": given.seed}
    options["surrogate_tasks"] = given.surrogate_tasks
    logging.set_verbosity(logging.INFO)
    if given.workdir:
        from trainers import workdir as workdirs

        out, where = epath.Path(given.workdir) / "report", "--workdir"
        check_num_samples(given.num_samples, workdirs.check_run(given.workdir))
        check_writable(out, where)
        evaluated = subject.of_workdir(given.workdir)
    else:
        out, where = epath.Path(given.out or "report").expanduser(), "--out"
        check_writable(out, where)
        saved_model = find_saved_model(given.saved_model)
        check_num_samples(given.num_samples, cards.read(saved_model).get("data_shape", ()))
        evaluated = subject.of_saved_model(saved_model, given.data, given.image_size)
    page = report_on(evaluated, out, where, **options)
    print(writer.headlines(json.loads((page.parent / "report.json").read_text())))
    print(page)


def run():
    """Console entry point."""
    flags.DEFINE_string("workdir", None, "Directory of a training run; the report goes to its report/.")
    flags.DEFINE_string("saved_model", None, "Or a SavedModel: a version's directory, a model's, or zoo:NAME.")
    flags.DEFINE_string("data", None, "With --saved_model: data to measure against; its model card's if not given.")
    flags.DEFINE_integer("image_size", None, "With --saved_model: side of the images; the generator's if not given.", 1)
    flags.DEFINE_string("out", None, "With --saved_model: directory for the report; ./report if not given.")
    about = "Samples; of images never more than there are test images, of points up to 100,000."
    flags.DEFINE_integer("num_samples", 10_000, about, 20)
    flags.DEFINE_string("features", AUTO, "Feature extractor for images; auto takes what fits the data.")
    about = "Measure imputation and denoising of images through the generator's range too; some seconds to minutes."
    flags.DEFINE_bool("surrogate_tasks", False, about)
    flags.DEFINE_integer("seed", 0, "Seed of the first sample; the following ones count up.", 0, 2**62)
    program.run(main)


if __name__ == "__main__":
    run()
