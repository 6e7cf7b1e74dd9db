"""Publishing: a run with its report becomes a model of an index."""

import json
import shutil

import numpy as np
import pytest

import configs.ring
import zoo
from export import publish
from trainers import build as building
from trainers import config as config_checks
from trainers import training
from zoo import pretrained
from zoo.errors import RequestError
from zoo.pretrained import cards, index


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run of a few steps, without a report."""
    config = configs.ring.get_config()
    config.update_from_flattened_dict({"train.steps": 2, "train.checkpoint_every": 2, "train.steps_per_execution": 1})
    path = tmp_path_factory.mktemp("publish") / "run"
    training.train(building.build(config, config_checks.check(config), workdir=path))
    return path


@pytest.fixture
def reported(workdir, tmp_path):
    """A copy of the run with a report of its step: that of a pretrained model, which nothing else depends on."""
    run = tmp_path / "run"
    shutil.copytree(workdir, run)
    report = zoo.load("ring/unrolled").report
    report["generator"]["step"] = 2
    (run / "report").mkdir()
    (run / "report" / "report.json").write_text(json.dumps(report))
    return run


def test_a_published_run_is_listed_and_gives_its_samples_and_a_new_version_takes_its_place(reported, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for version in (1, 2):
        made = publish.publish(reported, "ring/minimax", "train it", home=home)
        assert made == home / "ring" / "minimax" / str(version)
        assert sorted(path.name for path in home.iterdir()) == ["index.json", "ring"]
        assert [path.name for path in (home / "ring" / "minimax").iterdir()] == [str(version)]
    (entry,) = index.read(home).values()
    known = {"method": "minimax", "data": "ring", "recipe": "train it", "license": "Apache-2.0", "version": 2}
    assert known.items() <= entry.items()
    modes = json.loads((reported / "report" / "report.json").read_text())["metrics"]["modes_found"]
    assert entry["metrics"]["modes_found"]["value"] == modes["value"]
    version = pretrained.locate("ring/minimax", home=home)
    assert cards.read(version)["license"]["weights"] == "Apache-2.0"
    page = (version / "assets.extra" / "model_card.md").read_text()
    assert page.startswith("---\nlicense: apache-2.0\n") and "| licence of the weights | Apache-2.0 |" in page
    found = pretrained.Pretrained("ring/minimax", version).sample(9)
    expected = building.open_run(reported).model.sample(range(9)).numpy()
    np.testing.assert_allclose(found, expected, atol=np.ptp(expected) / 255)
    critic = zoo.pretrained.Pretrained("ring/minimax", version).keras_model("critic")
    trained = building.open_run(reported).model.critic
    for value, weight in zip(critic.variables, trained.variables, strict=True):
        np.testing.assert_allclose(value, weight, rtol=0, atol=0.5001 * np.abs(weight).max() / (2**15 - 1))
    # A second model joins the first.
    publish.publish(reported, "ring/another", "train it", home=home)
    assert list(index.read(home)) == ["ring/another", "ring/minimax"]


def test_a_process_killed_between_the_model_and_the_index_leaves_the_former_version_in_use(
    reported, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    publish.publish(reported, "ring/minimax", "train it", home=home)

    def killed(*_):
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(publish, "write_whole", killed)
        publish.publish(reported, "ring/minimax", "train it", home=home)
    assert pretrained.locate("ring/minimax", home=home).name == "1"
    made = publish.publish(reported, "ring/minimax", "train it", home=home)
    assert pretrained.locate("ring/minimax", home=home) == made and made.name == "2"
    assert [path.name for path in made.parent.iterdir()] == ["2"]


def test_a_model_that_is_too_large_is_refused_and_the_former_version_stays(reported, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    publish.publish(reported, "ring/minimax", "train it", home=home)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    monkeypatch.setattr(publish, "_MOST_BYTES", 1000)
    with pytest.raises(RequestError, match=r"a SavedModel of [0-9,]+ bytes; expected at most 1,000"):
        publish.publish(reported, "ring/minimax", "train it", home=home)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_run_without_a_report_of_its_newest_step_is_refused_and_leaves_nothing(workdir, tmp_path):
    with pytest.raises(RequestError, match=r"--workdir: .* has no report of its newest step; run export"):
        publish.publish(workdir, "ring/minimax", "train", home=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "ring", "ring/", "../x", "ring/../x", "Ring/x", "a/b/c", "/a/b"])
def test_a_name_that_is_not_data_and_method_is_refused(name, workdir, tmp_path):
    with pytest.raises(RequestError, match=r"--name: .*; expected DATA/METHOD"):
        publish.publish(workdir, name, "train", home=tmp_path)


@pytest.mark.parametrize("license", ["", "free", "Apache"])
def test_a_licence_that_spdx_does_not_list_is_refused(license, workdir, tmp_path):
    with pytest.raises(RequestError, match=rf"^--license: '{license}'; expected an SPDX identifier, such as"):
        publish.publish(workdir, "ring/minimax", "train", license, home=tmp_path)
