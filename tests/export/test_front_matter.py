"""The front matter of model cards, read by huggingface_hub."""

import json

import huggingface_hub
import pytest
import yaml
from etils import epath
from huggingface_hub import repocard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from export import front_matter, model_card
from export.saved_model import export_saved_model
from zoo.pretrained import cards

_CARD = {
    "name": "tiny",
    "data": "digits",
    "objective": "wasserstein_gp",
    "data_shape": [8, 8, 1],
    "license": {"weights": "Apache-2.0"},
    "signatures": {"sample": {}},
}


def of(**changes):
    return yaml.safe_load(front_matter.text(_CARD | changes))


@pytest.fixture
def page(version, tmp_path):
    """The page of a card with a report, whose metrics include one without a value and one that is no number."""
    metrics = {"frechet_distance": 5.5, "precision": None, "recall": float("nan"), "kernel_distance": -1e-7}
    report = {
        "features": {"name": "digits_cnn_v1", "checksum": "0" * 64},
        "metrics": {key: {"value": value, "interval": None} for key, value in metrics.items()},
        "sections": {},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    card = cards.read(version) | {"name": "tiny: a #1", "data": "idx:/home/me/fashion-mnist", "class_names": None}
    model_card.write(card, epath.Path(tmp_path / "extra"), tmp_path)
    return tmp_path / "extra" / "model_card.md"


def test_huggingface_hub_reads_what_the_card_says(page):
    data = huggingface_hub.ModelCard.load(page).data
    assert (data.license, data.license_name, data.license_link) == ("other", "not-stated", "LICENSE")
    assert data.library_name == "tf-gan-zoo" and {"gan", "minimax"} < set(data.tags)
    assert data.pipeline_tag == "unconditional-image-generation"
    assert data.datasets == ["zalando-datasets/fashion_mnist"]
    found = {result.metric_type: result for result in data.eval_results}
    assert {key: result.metric_value for key, result in found.items()} == {
        "frechet_distance": 5.5,
        "kernel_distance": -1e-7,
    }
    result = found["frechet_distance"]
    assert data.model_name == "tiny: a #1" and result.task_type == "unconditional-image-generation"
    assert (result.dataset_type, result.dataset_split) == ("zalando-datasets/fashion_mnist", "test")
    assert result.verified is False and result.metric_args == {"features": "digits_cnn_v1"}
    assert page.read_text().count("features: digits_cnn_v1") == 2  # no references inside the YAML
    assert page.read_text().count("\n---\n") == 1 and "\n---\n\n# tiny: a #1\n" in page.read_text()


def test_the_results_are_those_that_huggingface_hub_would_write(page):
    index = repocard.metadata_load(page)["model-index"]
    assert eval_results_to_model_index(*model_index_to_eval_results(index)) == index


@pytest.mark.parametrize(
    "source, dataset, known",
    [
        ("digits", "digits", True),
        ("tfds:cifar10", "uoft-cs/cifar10", True),
        ("tfds:cifar100:3.0.2", "uoft-cs/cifar100", True),
        ("idx:/home/me/MNIST/", "ylecun/mnist", True),
        ("folder:~/cifar10", "uoft-cs/cifar10", True),
        ("folder:/home/me/secret", "folder", False),
        ("folder:/home/mnist/secret", "folder", False),
        ("idx:gs://me/secret", "idx", False),
        ("tfds:secret/mnist:1.0.0", "tfds", False),
        ("/home/me/secret", "unknown", False),
        ("ring?modes=10", "ring", False),
    ],
)
def test_data_is_called_by_a_public_name_and_never_by_a_path(source, dataset, known):
    metrics = {"precision": {"value": 0.5}}
    found = of(data=source, metrics=metrics)
    assert found["model-index"][0]["results"][0]["dataset"]["type"] == dataset
    assert found.get("datasets") == ([dataset] if known else None)
    text = front_matter.text(_CARD | {"data": source, "metrics": metrics})
    assert "secret" not in text and "/me" not in text and "modes=" not in text


@pytest.mark.parametrize(
    "stated, expected",
    [
        ("Apache-2.0", ("apache-2.0", None, None)),
        ("GPL-3.0-or-later", ("gpl-3.0", None, None)),
        ("LGPL-2.1-only", ("lgpl-2.1", None, None)),
        ("0BSD", ("other", "0bsd", "https://spdx.org/licenses/0BSD.html")),
        ("LicenseRef-Own", ("other", "licenseref-own", "LICENSE")),
        ("(MIT OR Apache-2.0)", ("other", "mit-or-apache-2.0", "LICENSE")),
    ],
)
def test_a_licence_is_that_of_the_hub_or_has_a_name_and_a_link(stated, expected):
    found = of(license={"weights": stated})
    assert tuple(found.get(key) for key in ("license", "license_name", "license_link")) == expected


def test_points_have_no_task_of_the_hub_and_a_card_without_facts_has_front_matter(point_sampler, tmp_path):
    found = of(data_shape=[2], data="ring", metrics={"modes_found": {"value": 8}})
    assert "pipeline_tag" not in found and found["model-index"][0]["results"][0]["task"] == {"type": "other"}
    version = export_saved_model(point_sampler, 4, (2,), tmp_path, "points")
    data = huggingface_hub.ModelCard.load(version / "assets.extra" / "model_card.md").data
    assert data.tags == ["generative-model", "tensorflow", "saved-model"] and data.eval_results is None
    assert "model-index" not in of(metrics={"precision": {"value": None}})


def test_tags_tell_whether_there_is_a_critic_and_classes():
    assert of(objective="vae")["tags"][3:] == ["vae"]
    told = of(signatures={"sample": {}, "sample_with_labels": {}})
    assert told["tags"][3:] == ["gan", "wasserstein-gp", "class-conditional"]


def test_a_card_is_written_anew_with_a_licence_and_its_report(page, version):
    extra = page.parent
    before = json.loads((extra / "model_card.json").read_text())
    extra.rename(extra.parent / "assets.extra")
    model_card.rewrite(extra.parent)
    assert (extra.parent / "assets.extra" / "model_card.md").read_text().startswith("---\nlicense: other\n")
    model_card.rewrite(extra.parent, "MIT")
    card = cards.read(extra.parent)
    assert card.pop("license") == before.pop("license") | {"weights": "MIT"}
    assert json.dumps(card) == json.dumps(before)
    text = (extra.parent / "assets.extra" / "model_card.md").read_text()
    assert text.startswith("---\nlicense: mit\n") and "| frechet distance | 5.5 |" in text
