"""Checks of configs: of their keys before TensorFlow is imported, of the methods' options after."""

import inspect
import json

import keras
import pytest

import configs.digits
import configs.ring
from trainers import config as config_checks
from trainers import optimizers
from trainers import workdir as workdirs
from trainers.resolve import drop_former_options, resolve
from zoo.datasets import DataSpec
from zoo.errors import RequestError

#: Key, value, and the message after the key.
WRONG = [
    ("seed", 2**32, "4294967296; expected a whole number, 0 to 4294967295"),
    ("seed", True, "True; expected a whole number"),
    ("train.steps", 10**20, "100000000000000000000; expected a whole number, 1 to 2147483647"),
    ("train.checkpoint_every", 2**31, "2147483648; expected a whole number, 1 to 2147483647"),
    ("mixture.components", 101, "101; expected a whole number, 1 to 100"),
    ("dynamics", "", "''; expected one of 'alternating', "),
    ("objective_options.real_label", float("nan"), "nan; expected finite numbers"),
    ("dynamics_options.critic_steps", float("inf"), "inf; expected finite numbers"),
    ("dynamics_options.critic_steps", 0, "0; expected a whole number, 1 to 100"),
    ("dynamics_options.critic_steps", 10**6, "1000000; expected a whole number, 1 to 100"),
    ("generator.latent_dim", 0, "0; expected a whole number, 1 to"),
    ("generator.latent_dim", 2.5, "2.5; expected a whole number, 1 to"),
    ("generator.hidden_units", (8, 0), r"\(8, 0\); expected a tuple of whole numbers"),
    ("generator.orthogonal_gain", -1.0, "-1.0; expected a number, 0 or more"),
    ("generator.depth", 3, "no option of mlp, which takes latent_dim, hidden_units"),
    ("critic.input_scale", float("inf"), "inf; expected finite numbers"),
    ("critic.family", "gaussian", "'gaussian'; did you mean 'srgan' or 'dcgan'"),
    ("critic.family", "transformer", "'transformer'; expected one of 'mlp'"),
    ("critic_optimizer.name", "adamm", "'adamm'; did you mean 'adam'"),
    ("critic_optimizer.momenta", 0.5, "no option of adam"),
    ("critic_optimizer.learning_rate", -1.0, "-1.0; expected a number, 0 or more"),
    ("critic_optimizer.learning_rate", float("nan"), "nan; expected"),
    ("generator_optimizer.learning_rate", float("inf"), "inf; expected"),
    ("generator_optimizer.beta_1", 1.5, r"1.5; expected a number in \[0, 1\)"),
    ("generator_optimizer.beta_1", -0.1, r"-0.1; expected a number in \[0, 1\)"),
    ("generator_optimizer.beta_2", 1.0, r"1.0; expected a number in \[0, 1\)"),
    ("generator_optimizer.epsilon", 0.0, "0.0; expected a number above 0"),
    ("generator_optimizer.clipnorm", 0.0, "0.0; expected a number above 0, or none"),
    ("generator_optimizer.amsgrad", 1, "1; expected true or false"),
    ("generator_optimizer.gradient_accumulation_steps", 1, "1; expected a whole number, 2 to 2147483647, or none"),
    ("generator_optimizer.ema_overwrite_frequency", 0, "0; expected a whole number, 1 to 2147483647, or none"),
    ("encoder.family", "mlpp", "'mlpp'; expected one of mlp, dcgan"),
]


@pytest.mark.parametrize("key, value, message", WRONG)
def test_a_value_out_of_range_is_refused_with_what_was_expected(key, value, message):
    config = configs.ring.get_config()
    group, _, name = key.rpartition(".")
    holder = config[group] if group else config
    with holder.ignore_type():
        holder[name] = value
    with pytest.raises(RequestError, match=rf"config\.{key}(\.name)?: {message}") as caught:
        config_checks.check(config)
        resolve(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "key, value, new",
    [
        ("weight_clip", 0.01, "techniques.weight_clipping.bound"),
        ("instance_noise", {"std": 0.5}, "techniques.instance_noise"),
        ("penalties", ({"name": "gradient_norm"},), "techniques.gradient_norm"),
    ],
)
def test_a_key_of_a_former_release_is_refused_with_the_one_that_took_its_place(key, value, new):
    config = configs.ring.get_config()
    config[key] = value
    with pytest.raises(RequestError, match=rf"config\.{key}.*: no key of this release any more; use config\.{new}"):
        config_checks.check(config)


def test_every_replica_has_as_many_examples_as_the_others():
    config = configs.ring.get_config()
    config_checks.check_batch_size(config.train.batch_size, 4)
    with pytest.raises(RequestError, match=r"config.train.batch_size: 128; expected a multiple of the 3 replicas"):
        config_checks.check(config, replicas=3)


def test_an_optimizer_without_a_name_is_the_papers_with_what_is_given_changed():
    config = configs.ring.get_config("wasserstein")
    config.critic_optimizer = {"learning_rate": 0.1, "momentum": 0.5}
    config.generator_optimizer = {}
    config_checks.check(config)
    resolved = resolve(config)
    assert dict(resolved.critic_optimizer) == {"name": "rmsprop", "learning_rate": 0.1, "momentum": 0.5}
    assert dict(resolved.generator_optimizer) == {"name": "rmsprop", "learning_rate": 5e-5}
    assert dict(config.generator_optimizer) == {}
    # One with a name takes its place whole.
    config.critic_optimizer = {"name": "adam", "learning_rate": 0.1}
    assert dict(resolve(config).critic_optimizer) == {"name": "adam", "learning_rate": 0.1}
    config.critic_optimizer = {"beta_1": 0.5}
    config_checks.check(config)
    with pytest.raises(RequestError, match=r"config.critic_optimizer.beta_1: no option of rmsprop, which takes"):
        resolve(config)


def test_none_is_the_papers_value_of_an_optimizers_option():
    config = configs.ring.get_config("wasserstein")
    config.critic_optimizer = {"name": None, "learning_rate": None, "momentum": 0.5, "clipnorm": None}
    assert dict(resolve(config).critic_optimizer) == {"name": "rmsprop", "learning_rate": 5e-5, "momentum": 0.5}


@pytest.mark.parametrize("options", [{"learning_rate": -1.0}, {"nonsense": 1}, {"name": "foo"}])
@pytest.mark.parametrize("variant", ["vae", "noise_contrastive"])
def test_an_optimizer_of_a_player_that_the_objective_lacks_is_checked_and_left_as_it_is(variant, options):
    config = configs.ring.get_config(variant)
    assert dict(resolve(config).critic_optimizer) == dict(config.critic_optimizer)
    config.critic_optimizer = options
    with pytest.raises(RequestError, match=r"^config.critic_optimizer.(learning_rate|nonsense|name): "):
        resolve(config)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_the_table_of_optimizers_is_that_of_keras(name):
    optimizer = keras.optimizers.get(name)
    taken = set(inspect.signature(type(optimizer).__init__).parameters) - {"self", "name", "kwargs"}
    assert set(optimizers.options_of(name)) == taken
    # Keras' own defaults are in range.
    defaults = {key: value for key, value in optimizer.get_config().items() if key in taken}
    optimizers.check({"name": name, **defaults}, "optimizer")


@pytest.mark.parametrize(
    "file, flags, gone, kept",
    [
        ("digits", {"generator.family": "mlp"}, ["generator.base_filters"], ["generator.latent_dim"]),
        ("digits", {"critic.family": "mlp"}, ["critic.base_filters"], ["critic.normalization"]),
        ("ring:wasserstein", {"objective": "minimax"}, ["objective_options.clip"], ["critic_optimizer.learning_rate"]),
        ("ring:minimax+unrolled", {"dynamics": "alternating"}, ["dynamics_options.steps"], ["objective"]),
    ],
)
def test_options_of_the_former_choice_go_where_a_flag_chooses_anew(file, flags, gone, kept):
    file, _, variant = file.partition(":")
    config = getattr(configs, file).get_config(*[variant] if variant else [])
    config.update_from_flattened_dict(flags)
    drop_former_options(config, flags)
    left = config_checks.flatten(config)
    assert not set(gone) & set(left) and set(kept) <= set(left)
    resolve(config)


def test_options_of_the_papers_optimizer_go_where_a_flag_chooses_another():
    config = configs.ring.get_config()
    config.critic_optimizer.beta_1 = config.generator_optimizer.beta_1 = 0.0
    flags = {"critic_optimizer.name": "sgd"}
    config.update_from_flattened_dict(flags)
    drop_former_options(config, flags)
    assert dict(config.critic_optimizer) == {"name": "sgd", "learning_rate": 1e-3}
    assert dict(config.generator_optimizer) == {"learning_rate": 1e-3, "beta_1": 0.0}
    resolve(config)


def test_an_option_that_a_flag_sets_is_never_dropped():
    flags = {"critic_optimizer.name": "sgd", "critic_optimizer.beta_1": 0.5}
    config = configs.ring.get_config()
    config.update_from_flattened_dict(flags)
    drop_former_options(config, flags)
    with pytest.raises(RequestError, match=r"config.critic_optimizer.beta_1: no option of sgd"):
        resolve(config)


def test_an_option_of_the_config_is_never_dropped_where_no_flag_chooses():
    config = configs.ring.get_config()
    config.critic_optimizer = {"name": "adam", "momentum": 0.5}
    drop_former_options(config, {"critic_optimizer.learning_rate": 0.1})
    with pytest.raises(RequestError, match=r"config.critic_optimizer.momentum: no option of adam"):
        resolve(config)


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "no such file"),
        ("def get_config(\n", r"config.py, line 1: SyntaxError: '\(' was never closed"),
        ("\ndef get_config():\n    return 1 / 0\n", "config.py, line 3: ZeroDivisionError: division by zero"),
        ("def get_config():\n    half()\ndef half():\n    1 / 0\n", "config.py, line 4: ZeroDivisionError"),
        ("def get_config():\n    return int('x')\n", "config.py, line 2: ValueError: invalid literal"),
        ("import json\ndef get_config():\n    json.loads('{')\n", "config.py, line 3: JSONDecodeError"),
        ("import no_such_module\n", "config.py, line 1: ModuleNotFoundError"),
        ("def get_config():\n    open('/no/such/file')\n", "config.py, line 2: FileNotFoundError"),
        ("get = 1\n", "config.py: AttributeError: .* has no attribute 'get_config'"),
        ("def get_config():\n    pass\n", r"get_config\(\) gives a NoneType; expected an ml_collections.ConfigDict"),
        ("def get_config(size):\n    return 1\n", "config.py: TypeError: get_config.. missing 1 required"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_told_by_file_line_and_error(content, message, tmp_path):
    if content is not None:
        (tmp_path / "config.py").write_text(content)
    with pytest.raises(ValueError, match=message):
        config_checks.ConfigFile().parse(f"{tmp_path}/config.py")


def test_what_follows_the_colon_of_a_config_file_is_its_variant():
    assert config_checks.ConfigFile().parse("configs/ring.py:hinge").objective == "hinge"


def test_a_runs_config_json_is_a_config(tmp_path):
    config = resolve(configs.ring.get_config("hinge"))
    workdirs.write_config(tmp_path, config, DataSpec((2,)), 0)
    read = config_checks.ConfigFile().parse(f"{tmp_path}/config.json")
    found, expected = (json.loads(each.to_json_best_effort()) for each in (resolve(read), config))
    assert found == expected
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="of a run"):
        config_checks.ConfigFile().parse(f"{tmp_path}/config.json")
