"""Building runs from configs, and configs that a workdir refuses."""

import importlib
import json
import re

import numpy as np
import pytest

from trainers import build as building
from trainers import config as config_checks
from trainers import objectives, training
from trainers import workdir as workdirs
from zoo import options
from zoo.datasets import DataSpec
from zoo.errors import RequestError


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"objective_options": {"margin": 1.0}}, r"config.objective_options.margin: no option of non_saturating"),
        ({"objective_options": {"seed": 1}}, r"config.objective_options.seed: no option of non_saturating"),
        ({"dynamics_options": {"k": 1}}, r"config.dynamics_options.k: no option of alternating, which takes critic_st"),
        ({"generator": {"family": "mlp", "depth": 3}}, r"config.generator.depth: no option of mlp"),
        ({"critic_optimizer": {"name": "adamm"}}, r"config.critic_optimizer.name: 'adamm'"),
        ({"critic_optimizer": {"name": "adam", "rate": 1.0}}, r"config.critic_optimizer.rate: no option of adam"),
        (
            {"critic_optimizer": {"name": "adam", "learning_rate": 0.1, "clipnorm": 1.0, "clipvalue": 1.0}},
            r"config.critic_optimizer: \{.*'learning_rate': 0.1.*\}: Only one of",
        ),
        ({"critic_optimizer": {"name": "adam"}}, r"config.critic_optimizer.learning_rate: missing"),
    ],
)
def test_options_that_nothing_takes_are_refused(changes, message, small_config, build):
    config = small_config()
    for key, value in changes.items():
        config[key] = value
    with pytest.raises(RequestError, match=message) as caught:
        build(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "objective, option",
    [
        (name, option)
        for name in objectives.METHODS.names()
        for option in options.declared(objectives.METHODS.load(name))
        if option.endswith("weight") or option in ("clip", "gamma", "margin_scale")
    ],
)
def test_negative_weights_are_refused(objective, option, small_config, build):
    config = small_config(objective, {f"objective_options.{option}": -1.0})
    with pytest.raises(RequestError, match=rf"config.objective_options.{option}: -1.0; expected a number"):
        build(config)


def test_an_objective_that_needs_an_autoencoder_says_which(small_config, build):
    config = small_config("energy_based")
    config.critic.family = "mlp"
    with pytest.raises(RequestError, match=r"config.critic.family: 'mlp'; energy_based needs mlp_autoencoder or"):
        build(config)


def test_a_summary_tells_what_is_trained_on_what_and_where(small_config, build, tmp_path):
    points = building.summary(build(small_config(changes={"train.steps": 1234}), workdir=tmp_path))
    assert points == [
        "non_saturating, alternating, on ring: points of 2 coordinates, drawn as they are needed",
        "generator mlp of 58 parameters, critic mlp of 33 parameters; 1,234 steps, batches of 16",
        f"1 replica on CPU:0; the run's directory is {tmp_path}",
    ]
    images = building.summary(build(small_config(changes={"data.source": "digits"}), workdir=tmp_path))
    assert images[0] == "non_saturating, alternating, on digits: 1,493 images of 8×8×1"


def test_a_summary_counts_the_replicas(small_config, build, two_replicas, tmp_path):
    last = building.summary(build(small_config(), strategy=two_replicas, workdir=tmp_path))[-1]
    assert last.startswith("2 replicas on CPU:0, CPU:1; ")


def test_weights_are_a_function_of_the_seed(small_config, build, state, assert_same):
    one, two, other = (build(small_config(changes={"seed": seed})) for seed in (3, 3, 4))
    assert_same(state(one.model), state(two.model))
    assert abs(state(one.model)[2] - state(other.model)[2]).max() > 0.0


def test_rates_fall_linearly_to_zero_over_the_end_of_the_run(small_config, build):
    # Two critic steps for each of the generator: twice the updates over the same run.
    gan = build(small_config("wasserstein", {"train.steps": 40, "train.decay_from": 0.75})).model
    for optimizer, updates in ((gan.players["generator"].optimizer, 40), (gan.players["critic"].optimizer, 80)):
        for share, left in ((0.0, 1.0), (0.5, 1.0), (0.75, 1.0), (0.875, 0.5), (0.975, 0.1), (1.0, 0.0), (1.5, 0.0)):
            optimizer.iterations.assign(round(share * updates))
            # Float32 differences of whole numbers below a hundred.
            np.testing.assert_allclose(optimizer.learning_rate, 0.01 * left, rtol=1e-5, atol=1e-9)
    constant = build(small_config(changes={"train.decay_from": 1.0})).model.players["generator"].optimizer
    constant.iterations.assign(10**6)
    np.testing.assert_allclose(constant.learning_rate, 0.01, rtol=1e-6)


def test_normalisation_is_what_the_objective_needs(small_config, build):
    for objective, expected in (("non_saturating", "batch"), ("wasserstein_gp", "layer")):
        config = small_config(objective, {"data.source": "digits"})
        config.generator = {"family": "dcgan", "latent_dim": 4, "base_filters": 2}
        config.critic = {"family": "dcgan", "base_filters": 2, "normalization": "auto"}
        assert build(config).model.critic.normalization == expected


def test_a_workdir_refuses_another_config_and_names_what_differs(small_config, build, tmp_path):
    config = small_config(changes={"train.steps": 1})
    workdirs.check_workdir(tmp_path / "run", config)
    training.train(build(config, workdir=tmp_path / "run"))
    workdirs.check_workdir(tmp_path / "run", config)
    before = sorted(tmp_path.rglob("*"))
    other = small_config(changes={"train.steps": 1, "seed": 4, "generator_optimizer.learning_rate": 0.5})
    with pytest.raises(RequestError) as caught:
        workdirs.check_workdir(tmp_path / "run", other)
    message = str(caught.value)
    assert "generator_optimizer.learning_rate (there 0.01, asked 0.5), seed (there 0, asked 4)" in message
    assert "batch_size" not in message
    # A key that only one of them has is a difference too.
    config.techniques.r1 = {"name": "zero_centred", "weight": 1.0}
    with pytest.raises(RequestError, match=r"techniques.r1.weight \(there None, asked 1.0\)"):
        workdirs.check_workdir(tmp_path / "run", config)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda held: held.clear(), "objective (there None, asked 'non_saturating')"),
        (lambda held: held["critic"].pop("family"), "critic.family (there None, asked 'mlp')"),
        (lambda held: held.update(critic=None), "critic.family (there None, asked 'mlp')"),
        (lambda held: held.update(objective="foo"), "objective (there 'foo', asked 'non_saturating')"),
        (lambda held: held["objective_options"].update(bad=1), "objective_options.bad (there 1, asked None)"),
        (lambda held: held["generator"].update(latent_dim=0), "generator.latent_dim (there 0, asked 4)"),
    ],
)
def test_a_held_config_that_cannot_be_completed_differs_as_it_stands(change, message, small_config, build, tmp_path):
    config = small_config(changes={"train.steps": 1})
    workdirs.write_config(tmp_path, building.resolve(config), DataSpec((2,)), 0)
    text = json.loads((tmp_path / "config.json").read_text())
    change(text["config"])
    (tmp_path / "config.json").write_text(json.dumps(text))
    with pytest.raises(RequestError, match=f"holds a run of another config; .*{re.escape(message)}"):
        workdirs.check_workdir(tmp_path, config)


def test_a_completed_config_holds_every_option_and_comes_back_equal(small_config, build, tmp_path):
    config = small_config("wasserstein_gp", {"train.steps": 1})
    config.objective_options = {"penalty_weight": None}
    config.dynamics_options = {"critic_steps": None}
    config.generator = {"family": "mlp", "hidden_units": (8,)}
    config.techniques.r1 = {"name": "zero_centred", "every": 4}
    config.critic_optimizer = {"learning_rate": 0.5}
    completed = building.resolve(config)
    assert dict(completed.objective_options) == {"penalty_weight": 10.0}
    assert dict(completed.dynamics_options) == {"critic_steps": 5}
    assert dict(completed.techniques.r1) == {"name": "zero_centred", "at": "real", "weight": 10.0, "every": 4}
    assert dict(completed.techniques.instance_noise) == {}  # off
    assert (completed.generator.latent_dim, completed.generator.normalization) == (64, "none")
    assert dict(completed.critic_optimizer) == {"name": "adam", "learning_rate": 0.5, "beta_1": 0.0, "beta_2": 0.9}
    assert config_checks.flatten(building.resolve(completed)) == config_checks.flatten(completed)
    assert dict(config.objective_options) == {"penalty_weight": None}
    training.train(build(config, workdir=tmp_path))
    held = json.loads((tmp_path / "config.json").read_text())["config"]
    assert held == json.loads(completed.to_json_best_effort())


@pytest.mark.parametrize("file", ["digits", "ring"])
def test_every_variants_completed_config_comes_back_equal(file):
    module = importlib.import_module(f"configs.{file}")
    for variant in sorted({*module.VARIANTS, *objectives.METHODS.names()}):
        completed = building.resolve(module.get_config(variant))
        again = building.resolve(completed)
        assert config_checks.flatten(again) == config_checks.flatten(completed), variant


def test_what_a_config_leaves_to_the_paper_is_no_difference_and_any_other_key_is(small_config, build, tmp_path):
    config = small_config(changes={"train.steps": 1})
    config.dynamics_options = config.critic_optimizer = {}
    training.train(build(config, workdir=tmp_path))
    workdirs.check_workdir(tmp_path, config)
    del config.critic.activation
    with pytest.raises(RequestError, match=r"it differs in critic.activation \(there 'tanh', asked 'relu'\)$"):
        workdirs.check_workdir(tmp_path, config)


@pytest.fixture
def holding(tmp_path):
    """holding(config, step): a workdir with the config.json of a run, and names of checkpoints at 0 and `step`."""

    def holding(config, step):
        text = {"schema_version": 3, "config": json.loads(config.to_json_best_effort()), "data_shape": [2]}
        (tmp_path / "config.json").write_text(json.dumps(text))
        for saved in (0, step):
            (tmp_path / "checkpoints" / f"step_{saved:08d}").mkdir(parents=True)
        return tmp_path

    return holding


@pytest.mark.parametrize(
    "key, value",
    [
        ("train.steps", 7),
        ("train.steps", 5),
        ("train.steps_per_execution", 3),
        ("train.log_every", 7),
        ("train.sample_every", 7),
        ("train.checkpoint_every", 7),
        ("train.keep_checkpoints", 7),
        ("train.on_nonfinite", "rollback"),
        ("data.on_corrupt", "skip"),
    ],
)
def test_what_does_not_touch_the_steps_taken_may_change(key, value, small_config, holding):
    constant = {"train.decay_from": 1.0}
    workdirs.check_workdir(holding(small_config(changes=constant), 5), small_config(changes={**constant, key: value}))


@pytest.mark.parametrize(
    "both, changes, message",
    [
        ({"train.decay_from": 1.0}, {"train.steps": 4}, r"train.steps \(there 6, asked 4; 5 are done\)"),
        (
            {"train.decay_from": 0.5},
            {"train.steps": 9},
            r"train.steps \(there 6, asked 9; the learning rates fall with it",
        ),
        (
            {"train.decay_from": 1.0, "techniques.instance_noise": {"std": 0.5}},
            {"train.steps": 9},
            r"train.steps \(there 6, asked 9; the noise falls with it",
        ),
        (
            {"train.decay_from": 1.0},
            {"train.steps": 9, "train.ema_decay": 0.5},
            r"it differs in train.ema_decay \(there 0.0, asked 0.5\)$",
        ),
        ({}, {"data.source": "grid"}, r"data.source \(there 'ring', asked 'grid'\)"),
    ],
)
def test_what_would_have_changed_the_steps_taken_may_not(both, changes, message, small_config, holding):
    workdir = holding(small_config(changes=both), 5)
    with pytest.raises(RequestError, match=message):
        workdirs.check_workdir(workdir, small_config(changes={**both, **changes}))


def test_checkpoints_without_their_config_are_not_resumed(small_config, holding):
    workdir = holding(small_config(), 5)
    (workdir / "config.json").unlink()
    with pytest.raises(RequestError, match=f"--workdir: {workdir} holds checkpoints and no config.json"):
        workdirs.check_workdir(workdir, small_config())


def test_a_workdir_that_cannot_be_written_is_refused_at_once(small_config, tmp_path):
    (tmp_path / "file").write_text("")
    for workdir in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(RequestError, match=f"--workdir: {workdir} cannot be written"):
            workdirs.check_workdir(workdir, small_config())
    workdirs.check_workdir(tmp_path / "new" / "run", small_config())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "holds no run"),
        ("{", "is no config of a run"),
        ("[]", "is no config of a run"),
        ('{"config": {}}', "is no config of a run"),
        ('{"config": {}, "data_shape": [2]}', "holds no checkpoint yet"),
    ],
)
def test_what_holds_no_run_cannot_be_opened(content, message, tmp_path):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(RequestError, match=message):
        building.open_run(tmp_path)


def test_a_half_written_last_line_of_metrics_is_passed_over(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "crit')
    assert workdirs.read_metrics(tmp_path) == [{"step": 1}]
    assert workdirs.read_metrics(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "content, message",
    [
        (b'garbage\n{"step": 2}\n', "metrics.jsonl, line 1: expected a JSON object with a step"),
        (b'{"step": 1}\n[1, 2]\n{"step": 2}\n', "metrics.jsonl, line 2: expected"),
        (b'{"step": 1}\n{}\n{"step": 2}\n', "metrics.jsonl, line 2: expected"),
        (b'\xff\xfe\n{"step": 2}\n', "metrics.jsonl, line 1: expected"),
    ],
)
def test_damaged_metrics_are_refused_by_line_and_stay_as_they_are(content, message, small_config, tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RequestError, match=message):
        workdirs.check_workdir(tmp_path, small_config())
    assert (tmp_path / "metrics.jsonl").read_bytes() == content


@pytest.mark.parametrize("name", ["checkpoints", "samples", "logs"])
def test_a_file_in_a_directorys_place_is_refused(name, small_config, tmp_path):
    (tmp_path / name).write_text("")
    with pytest.raises(RequestError, match=f"--workdir: {tmp_path}/{name} is a file; expected a run's directory"):
        workdirs.check_workdir(tmp_path, small_config())


@pytest.mark.parametrize(
    "key, value",
    [
        ("train.steps", 0),
        ("train.batch_size", 2.5),
        ("train.batch_size", True),
        ("train.ema_decay", 1.0),
        ("train.decay_from", -0.1),
        ("train.precision", "float16"),
        ("train.on_nonfinite", "ignore"),
        ("data.channels", 2),
        ("seed", -1),
        ("objective", ""),
        ("train", 3),
    ],
)
def test_values_out_of_range_are_named_with_what_was_expected(key, value, small_config):
    config = small_config()
    with config.ignore_type():
        if "." in key:
            config.update_from_flattened_dict({key: value})
        else:
            config[key] = value
    with pytest.raises(RequestError, match=rf"config\.{key}"):
        config_checks.check(config)
