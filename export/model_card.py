"""The model card of an exported generator: model_card.json for programs, model_card.md for people and for the Hugging
Face Hub, which reads the YAML that begins it (`export.front_matter`).

It lies with the report under a version's ``assets.extra/`` and tells what the model is: what it was trained on and how,
what its signatures take and give, its metrics and verdicts, the licences.
"""

import json

import jinja2
from etils import epath

from export import front_matter
from trainers import former, objectives
from zoo.batch import takes_labels
from zoo.files import write_whole
from zoo.pretrained import cards
from zoo.pretrained.networks import EXTRA

_CODE_LICENSE = "Apache-2.0"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("export", ""),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def run_facts(run):
    """What a report and a model card tell of a run.

    Args:
        run: a `trainers.build.Run`.

    Returns:
        Dict of JSON values: data, num_classes, class_names, objective, method (what the objective is, and its source),
        dynamics, step, images_seen, seed, config, config_schema_version; vocabulary and caption_words of data with
        captions.
    """
    step = int(run.model.step)
    config = json.loads(run.config.to_json_best_effort())
    return {
        "data": config["data"]["source"],
        "num_classes": run.spec.num_classes,
        "class_names": run.spec.class_names,
        **({name: getattr(run.spec, name) for name in ("vocabulary", "caption_words")} if run.spec.vocabulary else {}),
        "objective": config["objective"],
        "method": objectives.METHODS.summary(config["objective"]),
        "dynamics": config["dynamics"],
        "step": step,
        "images_seen": step * config["train"]["batch_size"] * run.model.batches_per_step,
        "seed": config["seed"],
        "config": config,
        "config_schema_version": former.SCHEMA_VERSION,
    }


def compose(name, sampler, latent_dim, data_shape, signatures, facts=None):
    """Puts a model card together.

    Args:
        name: of the model.
        sampler, latent_dim, data_shape: as of `export.signatures.signatures`.
        signatures: {name: concrete function}.
        facts: dict of what else is known (`run_facts`), anything that JSON can hold, or None.

    Returns:
        The card, a dict: name, the facts, data_shape, latent_dim, parameters, precision, signatures, tensorflow,
        license; num_classes where the sampler is told labels.
    """
    import tensorflow as tf

    return {
        "name": name,
        **(facts or {}),
        **({"num_classes": int(sampler.num_classes)} if takes_labels(sampler) else {}),
        "data_shape": list(data_shape),
        "latent_dim": int(latent_dim),
        "parameters": int(sampler.count_params()),
        "precision": sampler.dtype_policy.compute_dtype,
        "signatures": {key: _describe(function) for key, function in signatures.items()},
        "tensorflow": tf.__version__,
        "license": {
            "code": _CODE_LICENSE,
            "weights": "not stated; whoever trained them decides, within the terms of the data they were trained on",
        },
    }


def write(card, folder, report_dir=None):
    """Writes a model card and, beside it, copies of a report's files.

    Args:
        card: dict, of `compose`.
        folder: etils.epath.Path of the folder, made where there is none: a version's `EXTRA`.
        report_dir: folder with a `report.json` and its companions, or None. The card takes the report's features,
            metrics and verdicts.
    """
    folder.mkdir(exist_ok=True)
    if report_dir is not None:
        for source in epath.Path(report_dir).iterdir():
            if not source.is_dir() and not source.name.startswith("."):
                source.copy(folder / source.name)
    _render(card, folder)


def rewrite(version, license=None):
    """Writes the model card of an exported version anew.

    Args:
        version: the directory of a SavedModel that tf-gan-zoo wrote.
        license: of the weights, an SPDX identifier, which the card then states; None leaves what it states.
    """
    card = cards.read(version)
    if license is not None:
        card["license"]["weights"] = license
    _render(card, epath.Path(version) / EXTRA)


def _render(card, folder):
    report, beside = None, folder / "report.json"
    if beside.exists():
        report = json.loads(beside.read_text())
        card = card | {key: report[key] for key in ("features", "metrics") if key in report}
        card["verdicts"] = {section: content["verdict"] for section, content in report["sections"].items()}
    text = json.dumps(card, indent=2, default=str) + "\n"
    write_whole(folder / "model_card.json", text.encode())
    page = _TEMPLATES.get_template("model_card.md.jinja")
    page = page.render(card=card, report=report, front_matter=front_matter.text(card))
    write_whole(folder / "model_card.md", page.encode())


def _describe(function):
    def tensors(specs):
        return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in specs.items()}

    return {
        "inputs": tensors(function.structured_input_signature[1] or _positional(function)),
        "outputs": tensors(function.structured_outputs),
    }


def _positional(function):
    return {spec.name: spec for spec in function.structured_input_signature[0]}
