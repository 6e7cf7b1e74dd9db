"""What the Hugging Face Hub reads of a model card: the YAML block that begins it.

https://github.com/huggingface/hub-docs/blob/main/modelcard.md describes the keys.
"""

import math
import re

import yaml

from trainers import objectives
from zoo.datasets import toy

_LIBRARY = "tf-gan-zoo"
#: The Hub's identifiers of licences (https://huggingface.co/docs/hub/repositories-licenses) that are those of SPDX in
#: small letters, without the "-only" and "-or-later" of the GNU licences.
_LICENSES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gpl-2.0 gpl-3.0 isc
    lgpl-2.1 lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa ofl-1.1 osl-3.0 postgresql unlicense wtfpl zlib
    """.split()  # noqa: SIM905 (as a tuple it takes fifty lines)
)
#: File of a repository with the text of a licence that is not one of `_LICENSES`.
LICENSE_FILE = "LICENSE"
#: Name of a data set in TensorFlow Datasets, or of the folder of its files → its identifier on the Hub. Other names of
#: folders are the user's own and are told to nobody.
_DATASETS = {
    "beans": "AI-Lab-Makerere/beans",
    "cats_vs_dogs": "microsoft/cats_vs_dogs",
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "food101": "ethz/food101",
    "mnist": "ylecun/mnist",
    "svhn_cropped": "ufldl-stanford/svhn",
}
#: Data that is not on the Hub, by the kind of its source → what it is called.
_OTHER_DATA = {"folder": "images of a folder", "idx": "images of IDX files", "tfds": "images of TensorFlow Datasets"}


def text(card):
    """The YAML of a model card's front matter, without the lines ``---`` around it.

    Args:
        card: dict, the model card as `export.model_card.write` completes it. Metrics without a finite value are left
            out.
    """
    return yaml.safe_dump(_values(card), sort_keys=False, allow_unicode=True)


def _values(card):
    images = len(card["data_shape"]) == 3
    task = "unconditional-image-generation" if images else "other"
    found = {**license_of(card), "library_name": _LIBRARY, "tags": _tags(card)}
    dataset = _dataset(str(card.get("data", "")))
    if dataset["type"] in (*_DATASETS.values(), "digits"):
        found["datasets"] = [dataset["type"]]
    if images:
        found["pipeline_tag"] = task
    if metrics := _metrics(card):
        result = {"task": {"type": task}, "dataset": {**dataset, "split": "test"}, "metrics": metrics}
        found["model-index"] = [{"name": card["name"], "results": [result]}]
    return found


def license_of(card):
    """The licence of a card's weights, in the Hub's keys: license; of one that the Hub does not list license_name and
    license_link too, which is `LICENSE_FILE` unless SPDX has the text."""
    stated = card["license"]["weights"]
    if " " in stated:  # "not stated; …", or an expression of several licences
        name = re.sub("[^a-z0-9.]+", "-", stated.partition(";")[0].lower()).strip("-")
        return {"license": "other", "license_name": name, "license_link": LICENSE_FILE}
    name = stated.lower()
    listed = name.removesuffix("-only").removesuffix("-or-later")
    if listed in _LICENSES:
        return {"license": listed}
    link = LICENSE_FILE if name.startswith("licenseref-") else f"https://spdx.org/licenses/{stated}.html"
    return {"license": "other", "license_name": name, "license_link": link}


def _tags(card):
    tags = ["generative-model", "tensorflow", "saved-model"]
    if card.get("objective") in objectives.METHODS.names():
        adversarial = "critic" in objectives.METHODS.load(card["objective"]).configured
        tags += ["gan"] * adversarial + [card["objective"].replace("_", "-")]
    return tags + ["class-conditional"] * ("sample_with_labels" in card["signatures"])


def _dataset(source):
    """Type and name of the data of a source (`zoo.datasets.load`). No path of this machine is in them."""
    kind, _, rest = source.partition(":")
    toy_name = source.partition("?")[0]
    if toy_name in toy.FAMILIES or source == "digits":
        return {"type": toy_name, "name": toy_name.replace("_", " ")}
    # Of a TensorFlow data set "name/config:version", of others the path of a folder.
    parts = [part for part in rest.split("/") if part] or [""]
    called = parts[0].partition(":")[0] if kind == "tfds" else parts[-1].lower().replace("-", "_")
    if called in _DATASETS:
        return {"type": _DATASETS[called], "name": called.replace("_", " ")}
    return {"type": kind, "name": _OTHER_DATA[kind]} if kind in _OTHER_DATA else {"type": "unknown", "name": "unknown"}


def _metrics(card):
    # Distances are comparable only in the same features. A dict for each metric: YAML would refer to a shared one.
    features = card.get("features")
    return [
        {
            "type": key,
            "value": metric["value"],
            "name": key.replace("_", " "),
            **({"args": {"features": features["name"]}} if features else {}),
            "verified": False,
        }
        for key, metric in card.get("metrics", {}).items()
        if metric["value"] is not None and math.isfinite(metric["value"])
    ]
