"""Evaluates a generator and writes a report on it.

    python -m export.evaluate --workdir=DIR
    python -m export.evaluate --saved_model=PATH --data=SOURCE [--image_size=PIXELS] --out=DIR

The first writes ``DIR/report/``: report.json (its format: `export.report`), report.html (one file that needs no
other), report.md and the figures. The second takes a generator of any origin: a SavedModel whose ``serving_default``
maps latents to images in [-1, 1]. A model that `export.saved_model` wrote is sampled by the same seeds through the same
function as its workdir, so that both give the same numbers.
"""

import json
import os

import numpy as np
from absl import flags, logging
from etils import epath

from export import model_card
from export.generators import Generator, find_saved_model
from export.report import pages
from trainers import program
from zoo import datasets
from zoo.errors import RequestError
from zoo.files import check_writable, writing

_AUTO = "auto"
#: Most samples of points. Their exact distances take a third of a second a thousand, three times over.
_MOST_POINTS = 100_000


def check_num_samples(num_samples, data_shape):
    """Raises RequestError for more samples of points than can be measured. Of images as many as wanted are asked for:
    there are never more than test images."""
    if len(data_shape) == 1 and num_samples > _MOST_POINTS:
        raise RequestError(f"--num_samples: {num_samples}; points are measured on up to {_MOST_POINTS:,}")


def evaluate(
    generator, data, *, features=_AUTO, num_samples=10_000, first_seed=0, untrained=None, where="--saved_model"
):
    """Measures a generator against held-out data.

    Args:
        generator: `export.generators.Generator`.
        data: `zoo.datasets.Dataset` of the same shape.
        features: name of a feature extractor, "auto" for the one that fits the data, or a
            `export.metrics.features.FeatureExtractor`. Points need none.
        num_samples: how many samples; of images no more than there are test images, of points up to 100,000.
        first_seed: seed of the first sample.
        untrained: the same generator before its first step, or None.
        where: what a message calls the generator.

    Returns:
        `export.report.measured.Measured`.

    Raises:
        RequestError: the generator makes something else than the data, or values that are not finite; or there is no
            such extractor; or `num_samples` is too large.
    """
    check_num_samples(num_samples, data.data_shape)
    if tuple(generator.data_shape) != tuple(data.data_shape):
        made, expected = ("×".join(map(str, shape)) for shape in (generator.data_shape, data.data_shape))
        raise RequestError(f"{where}: the generator makes {made}, and {data.name!r} has {expected}")
    probe = generator.generate(np.random.default_rng(first_seed).normal(size=[8, generator.latent_dim]))
    if not np.isfinite(probe.astype(np.float64)).all():
        # As pixels they would be black, and the report a good-looking one on black images.
        raise RequestError(f"{where}: the generator makes values that are not finite; its training broke down")
    if len(data.data_shape) == 1:
        from export.report.points import measure_points

        return measure_points(generator, data, num_samples=num_samples, first_seed=first_seed, untrained=untrained)
    from export.metrics.features import FeatureExtractor, features_for
    from export.report.images import count_samples, measure_images

    count_samples(data, num_samples)  # before minutes are spent on a classifier
    extractor = features if isinstance(features, FeatureExtractor) else features_for(data, features)
    return measure_images(
        generator, data, extractor, num_samples=num_samples, first_seed=first_seed, untrained=untrained
    )


def evaluate_run(workdir, *, features=_AUTO, num_samples=10_000, first_seed=0):
    """Evaluates the averaged generator of a workdir's newest checkpoint, and writes `workdir`/report/.

    Args:
        workdir: directory of a training run.
        features, num_samples, first_seed: as of `evaluate`.

    Returns:
        epath.Path of report.html.

    Raises:
        RequestError: as of `evaluate`; or the workdir holds no run, or its data is not there any more.
    """
    from trainers import build
    from trainers import workdir as workdirs

    rows = workdirs.read_metrics(workdir)
    program.start_tensorflow()
    run = build.open_run(workdir)
    data = run.data
    model, shape = run.model, run.data_shape
    generator = Generator.of_sampler(model.sampler, model.latent_dim, shape)
    measured = evaluate(
        generator,
        data,
        features=features,
        num_samples=num_samples,
        first_seed=first_seed,
        untrained=_untrained(run.config, shape),
        where=f"--workdir: {workdir}",
    )
    facts = model_card.run_facts(run)
    del facts["data"]
    described = {"origin": "workdir", "path": os.fspath(run.workdir), **facts}
    report = _compose(measured, generator, described, data, num_samples, first_seed)
    return _write(report, measured, rows, run.workdir / "report", "--workdir")


def evaluate_saved_model(
    path, source=None, out="report", *, image_size=None, features=_AUTO, num_samples=10_000, first_seed=0
):
    """Evaluates the generator of a SavedModel, and writes the report to `out`.

    Args:
        path: a version's directory, or a model's: the newest version is taken.
        source: data to measure against, as of `zoo.datasets.load`; what the model card names if None.
        out: directory for the report.
        image_size: side that the data's images are resized to; the generator's own if None.
        features, num_samples, first_seed: as of `evaluate`.

    Returns:
        epath.Path of report.html.

    Raises:
        RequestError: as of `evaluate`; or there is no such model or data.
    """
    path = find_saved_model(path)
    card = model_card.read(path)
    data = _open_data(source, image_size, card)
    program.start_tensorflow()
    generator = Generator.load(path)
    if data.data_shape != tuple(generator.data_shape) and image_size is None and len(generator.data_shape) == 3:
        height, _, channels = generator.data_shape
        data = datasets.load(data.name, image_size=height, channels=channels)
    measured = evaluate(
        generator,
        data,
        features=features,
        num_samples=num_samples,
        first_seed=first_seed,
        untrained=_untrained_of(card),
        where=f"--saved_model: {path}",
    )
    known = ("objective", "dynamics", "step", "images_seen", "seed", "config")
    facts = {key: card[key] for key in known if key in card}
    described = {"origin": "saved_model", "path": os.fspath(path), **facts}
    report = _compose(measured, generator, described, data, num_samples, first_seed)
    return _write(report, measured, [], epath.Path(out).expanduser(), "--out")


def _untrained(config, data_shape):
    """The generator that a run of this config starts from: its first weights are a function of the config."""
    from trainers import build

    model = build.build(config, data_shape=data_shape).model
    return Generator.of_sampler(model.sampler, model.latent_dim, data_shape)


def _untrained_of(card):
    """The same from a model card; None where the card has no config, or one of another release of this package."""
    if "config" not in card:
        return None
    import ml_collections

    try:
        return _untrained(ml_collections.ConfigDict(card["config"]), tuple(card["data_shape"]))
    except (RequestError, AttributeError, KeyError, TypeError) as error:
        logging.warning("No untrained generator to compare with: the model card's config does not build (%s)", error)
        return None


def _open_data(source, image_size, card):
    """The data that was asked for, or that the card names; prepared as for the run where nothing else was asked."""
    trained_on = card.get("config", {}).get("data", {})
    if source is None:
        if not trained_on:
            raise RequestError("--data: missing; this model's card does not tell what it was trained on")
        source = trained_on["source"]
    shape = card.get("data_shape", ())
    channels = shape[2] if len(shape) == 3 else None
    if image_size is None and len(shape) == 3:
        image_size = shape[0]
    options = {key: trained_on[key] for key in ("on_corrupt", "data_dir") if source == trained_on.get("source")}
    return datasets.load(source, image_size=image_size, channels=channels, **options)


def _compose(measured, generator, described, data, num_asked, first_seed):
    described |= {
        "data_shape": list(generator.data_shape),
        "latent_dim": generator.latent_dim,
        "parameters": generator.parameters,
    }
    return pages.compose(
        measured,
        generator=described,
        data=data,
        num_asked=num_asked,
        first_seed=first_seed,
        seeded=generator.seeded,
    )


def _write(report, measured, rows, directory, where):
    with writing(where, directory):
        return pages.write(report, measured, rows, directory)


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
    if given.features != _AUTO:
        from export.metrics import features

        if given.features not in features.available():
            features.load_features(given.features)
    options = {"features": given.features, "num_samples": given.num_samples, "first_seed": given.seed}
    logging.set_verbosity(logging.INFO)
    if given.workdir:
        from trainers import workdir as workdirs

        check_num_samples(given.num_samples, workdirs.check_run(given.workdir))
        check_writable(epath.Path(given.workdir) / "report", "--workdir")
        page = evaluate_run(given.workdir, **options)
    else:
        out = given.out or "report"
        check_writable(out, "--out")
        card = model_card.read(find_saved_model(given.saved_model))
        check_num_samples(given.num_samples, card.get("data_shape", ()))
        page = evaluate_saved_model(given.saved_model, given.data, out, image_size=given.image_size, **options)
    print(pages.headlines(json.loads((page.parent / "report.json").read_text())))
    print(page)


def run():
    """Console entry point."""
    flags.DEFINE_string("workdir", None, "Directory of a training run; the report goes to its report/.")
    flags.DEFINE_string("saved_model", None, "Or a SavedModel: a version's directory, or a model's.")
    flags.DEFINE_string("data", None, "With --saved_model: data to measure against; its model card's if not given.")
    flags.DEFINE_integer("image_size", None, "With --saved_model: side of the images; the generator's if not given.", 1)
    flags.DEFINE_string("out", None, "With --saved_model: directory for the report; ./report if not given.")
    about = "Samples; of images never more than there are test images, of points up to 100,000."
    flags.DEFINE_integer("num_samples", 10_000, about, 20)
    flags.DEFINE_string("features", _AUTO, "Feature extractor for images; auto takes what fits the data.")
    flags.DEFINE_integer("seed", 0, "Seed of the first sample; the following ones count up.", 0, 2**62)
    program.run(main)


if __name__ == "__main__":
    run()
