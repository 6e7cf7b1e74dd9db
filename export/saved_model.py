"""Generators as SavedModels, written as numbered versions.

    python -m export.saved_model --workdir=DIR --model_base_path=BASE [--model_name=NAME] [--precision=bfloat16]

writes BASE/NAME/<next integer>/, the layout that TensorFlow Serving watches. Signatures:

=================== ============================ ============================================================
signature           input                        output
=================== ============================ ============================================================
``serving_default`` latents float32 [N, z]       images float32 [N, H, W, C] in [-1, 1]; points float32 [N, d]
``sample``          seeds int64 [N]              images uint8 [N, H, W, C]; points float32 [N, d]
``png``             seeds int64 [N]              png_bytes string [N], one encoded PNG each (images only)
``latents``         seeds int64 [N]              latents float32 [N, z], those that ``sample`` gives the generator
=================== ============================ ============================================================

Inputs and outputs are called by the first word of their cell. (``png_bytes`` ends in ``_bytes`` because TensorFlow
Serving's REST interface then sends it as base64.) Under ``sample`` and ``png`` a seed gives the same image in any
batch, on the same device and number of threads. The directory holds the model card and the report under
``assets.extra/``, and requests for TensorFlow Serving to warm a version up with before it takes traffic.

``--precision=bfloat16`` lets the network compute in bfloat16, which is faster where the processor has instructions for
it. The signatures stay, float32 in and out, and so do the weights on disk and the activation at the end. Pixels move by
a few levels: a seed's image is like that of the float32 export, not equal to it, and the report inside was measured
before the change.
"""

import json
import math
import os
import uuid

import jinja2
from absl import flags, logging
from etils import epath

from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, writing
from zoo.grids import to_uint8

#: What --precision chooses from, and the dtype policy that Keras knows it by.
_PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
#: Where a version keeps what is not the model: card, report, warm-up requests.
EXTRA = "assets.extra"
_CODE_LICENSE = "Apache-2.0"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("export", "report"),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def _piece_size(data_shape):
    """How many seeds pass through the network together, always.

    A seed's image must not depend on its batch, but convolution kernels cut their work by the batch's size and the
    number of threads, add in another order, and now and then a pixel rounds to its neighbour level. Within one size a
    row's place does not matter. The last piece is padded. Each piece costs a fixed time beside that for its images, so
    large pieces are cheap for large batches and small ones for single images (benchmarks/sample_signature.py).
    """
    if len(data_shape) == 1:
        return 256
    return 32 if math.prod(data_shape[:2]) <= 32 * 32 else 16


def signatures(sampler, latent_dim, data_shape):
    """The functions that a SavedModel of a generator answers.

    Args:
        sampler: Keras model, latents float32 [N, latent_dim] → examples [N, *data_shape].
        latent_dim: number of latents z.
        data_shape: (H, W, C) of images in [-1, 1], or (d,) of points.

    Returns:
        Dict of tf.functions with any batch size, as in this module's table; without "png" for points.
    """
    import tensorflow as tf

    from zoo.noise import Noise

    data_shape = tuple(data_shape)
    images = len(data_shape) == 3
    output = "images" if images else "points"
    seeds_spec = tf.TensorSpec([None], tf.int64, name="seeds")

    def generate(latents):
        return tf.ensure_shape(tf.cast(sampler(latents, training=False), tf.float32), [None, *data_shape])

    def latents_of(seeds):
        return Noise.of_seeds(seeds).normal("latents", [latent_dim])

    def draw(seeds):
        count, size = tf.shape(seeds)[0], _piece_size(data_shape)
        pieces = tf.reshape(tf.pad(latents_of(seeds), [[0, -count % size], [0, 0]]), [-1, size, latent_dim])
        examples = tf.map_fn(generate, pieces, fn_output_signature=tf.TensorSpec([size, *data_shape], tf.float32))
        examples = tf.reshape(examples, [-1, *data_shape])[:count]
        return to_uint8(examples) if images else examples

    @tf.function(input_signature=[tf.TensorSpec([None, latent_dim], tf.float32, name="latents")], autograph=False)
    def serving_default(latents):
        return {output: generate(latents)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def sample(seeds):
        return {output: draw(seeds)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def png(seeds):
        return {"png_bytes": tf.map_fn(tf.io.encode_png, draw(seeds), fn_output_signature=tf.string)}

    @tf.function(input_signature=[seeds_spec], autograph=False)
    def latents(seeds):
        return {"latents": latents_of(seeds)}

    functions = {"serving_default": serving_default, "sample": sample, "latents": latents}
    return {**functions, "png": png} if images else functions


def in_precision(sampler, precision):
    """The same network with the same weights, computing in another precision.

    Args:
        sampler: Keras model that its config can build again.
        precision: "float32", or "bfloat16": see this module; weights stay float32.
    """
    import keras

    policy = keras.dtype_policies.DTypePolicy(_PRECISIONS[precision])
    twin = type(sampler).from_config({**sampler.get_config(), "dtype": policy})
    for copy, variable in zip(twin.variables, sampler.variables, strict=True):
        copy.assign(variable)
    return twin


# Writing.


def export_saved_model(sampler, latent_dim, data_shape, base_path, name, *, report_dir=None, card=None, precision=None):
    """Writes the next version of a model. It appears whole or not at all, and concurrent writers get different numbers.

    On a local disk a version appears by one rename. Object stores know no rename of folders; there the files are
    copied, ``saved_model.pb`` not necessarily last.

    Args:
        sampler, latent_dim, data_shape: as of `signatures`. The sampler's weights and nothing else are saved.
        base_path: directory of models, made if it is not there; local or remote.
        name: of the model: one folder of `base_path`.
        report_dir: folder with a `report.json` and its companions to put inside, or None.
        card: dict of facts for the model card (`run_facts`), anything that JSON can hold, or None.
        precision: what the network computes in, "float32" or "bfloat16"; as the sampler does if None.

    Returns:
        epath.Path of the version's directory, ``base_path/name/<integer>``.

    Raises:
        RequestError: `name` is no folder name, or the place cannot be written.
    """
    check_name(name)
    import tensorflow as tf

    from export.serving import warmup

    if precision is not None:
        sampler = in_precision(sampler, precision)
    functions = signatures(sampler, latent_dim, data_shape)
    module = tf.Module()
    module.generator_variables = [variable.value for variable in sampler.variables]
    concrete = {key: function.get_concrete_function() for key, function in functions.items()}
    card = {
        "name": name,
        **(card or {}),
        "data_shape": list(data_shape),
        "latent_dim": int(latent_dim),
        "parameters": int(sampler.count_params()),
        "precision": sampler.dtype_policy.compute_dtype,
        "signatures": {key: _describe(function) for key, function in concrete.items()},
        "tensorflow": tf.__version__,
        "license": {
            "code": _CODE_LICENSE,
            "weights": "not stated; whoever trained them decides, within the terms of the data they were trained on",
        },
    }

    models = epath.Path(base_path).expanduser() / name
    made = [folder for folder in (models, models.parent) if not folder.exists()]
    # TensorFlow Serving reads folders whose name is an integer, and passes over this one.
    building = models / f".building-{uuid.uuid4().hex}"
    with writing("--model_base_path", models):
        building.mkdir(parents=True)
    try:
        tf.saved_model.save(module, os.fspath(building), signatures=concrete)
        _write_extra(building / EXTRA, card, report_dir)
        warmup.write(building / EXTRA, name, concrete)
        return _number(building, models)
    except BaseException:  # Ctrl-C too: whatever ends this early leaves nothing half-built
        building.rmtree(missing_ok=True)
        for folder in made:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def check_name(name):
    """Raises RequestError unless `name` can be a model's: the name of one folder."""
    if not name or name != os.path.basename(name) or name.startswith("."):
        raise RequestError(f"--model_name: {name!r}; expected the name of one folder")


def _number(building, models):
    """Renames `building` to the next free integer."""
    while True:
        version = models / str(max(version_numbers(models), default=0) + 1)
        try:
            # Fails where another writer was first, for its folder is not empty.
            return building.rename(version)
        except OSError:
            if not version.exists():
                raise


def version_numbers(models):
    """The numbers of the versions in a model's folder, an etils.epath.Path; in no order."""
    return [int(entry.name) for entry in models.iterdir() if entry.name.isdecimal()]


def _describe(function):
    def tensors(specs):
        return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in specs.items()}

    return {
        "inputs": tensors(function.structured_input_signature[1] or _positional(function)),
        "outputs": tensors(function.structured_outputs),
    }


def _positional(function):
    return {spec.name: spec for spec in function.structured_input_signature[0]}


def _write_extra(folder, card, report_dir):
    folder.mkdir()
    report = None
    if report_dir is not None:
        for source in epath.Path(report_dir).iterdir():
            if not source.is_dir() and not source.name.startswith("."):
                source.copy(folder / source.name)
        report = json.loads((folder / "report.json").read_text())
        card |= {key: report[key] for key in ("features", "metrics") if key in report}
        card["verdicts"] = {section: content["verdict"] for section, content in report["sections"].items()}
    (folder / "model_card.json").write_text(json.dumps(card, indent=2, default=str) + "\n")
    page = _TEMPLATES.get_template("model_card.md.jinja").render(card=card, report=report)
    (folder / "model_card.md").write_text(page)


# The program.


def run_facts(run):
    """What a report and a model card tell of a run.

    Args:
        run: a `trainers.build.Run`.

    Returns:
        Dict of JSON values: data, objective, dynamics, step, images_seen, seed, config.
    """
    step = int(run.model.step)
    config = json.loads(run.config.to_json_best_effort())
    return {
        "data": config["data"]["source"],
        "objective": config["objective"],
        "dynamics": config["dynamics"],
        "step": step,
        "images_seen": step * config["train"]["batch_size"] * run.model.batches_per_step,
        "seed": config["seed"],
        "config": config,
    }


def export_run(workdir, base_path, name=None, precision=None):
    """Exports the averaged generator of a workdir's newest checkpoint, with its report if that is of the same step.

    Args:
        workdir: directory of a training run.
        base_path, name, precision: as of `export_saved_model`; the workdir's own name if `name` is None.

    Returns:
        epath.Path of the version's directory.

    Raises:
        RequestError: the workdir holds no run, or the place cannot be written.
    """
    from trainers import build

    run = build.open_run(workdir)
    facts = run_facts(run)
    report_dir = run.workdir / "report"
    if not (report_dir / "report.json").exists():
        logging.warning("%s has no report; python -m export.evaluate --workdir=%s makes one", workdir, workdir)
        report_dir = None
    else:
        of_step = json.loads((report_dir / "report.json").read_text())["generator"].get("step")
        if of_step != facts["step"]:
            logging.warning(
                "the report is of step %s, not %s, and is left out; run export.evaluate", of_step, facts["step"]
            )
            report_dir = None
    model, name = run.model, name or run.workdir.resolve().name
    return export_saved_model(
        model.sampler,
        model.latent_dim,
        run.data_shape,
        base_path,
        name,
        report_dir=report_dir,
        card=facts,
        precision=precision,
    )


def main(argv):
    del argv
    workdir, base_path = flags.FLAGS.workdir, flags.FLAGS.model_base_path
    for name in ("workdir", "model_base_path"):
        if not flags.FLAGS[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    from trainers import workdir as workdirs

    workdirs.check_run(workdir)
    if flags.FLAGS.model_name is not None:
        check_name(flags.FLAGS.model_name)
    check_writable(base_path, "--model_base_path")
    program.start_tensorflow()
    logging.set_verbosity(logging.WARNING)
    print(export_run(workdir, base_path, flags.FLAGS.model_name, flags.FLAGS.precision))


def run():
    """Console entry point."""
    # Defined here and not on import, for other programs import this module and have flags of the same names.
    flags.DEFINE_string("workdir", None, "Directory of a training run.")
    flags.DEFINE_string("model_base_path", None, "Directory of models; BASE/NAME/<next integer> is written.")
    flags.DEFINE_string("model_name", None, "Name of the model; the workdir's own name if not given.")
    flags.DEFINE_enum("precision", None, list(_PRECISIONS), "What the network computes in; as trained if not given.")
    program.run(main)


if __name__ == "__main__":
    run()
