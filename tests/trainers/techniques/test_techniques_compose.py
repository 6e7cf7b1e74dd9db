"""Techniques from a config: alone and all together they train, on one replica or two, compiled or not."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import build as building
from trainers import dynamics, objectives, techniques
from trainers.checkpoints import Checkpoints
from trainers.mixture import Mixture
from trainers.objectives.minimax import Minimax
from trainers.objectives.non_saturating import NonSaturating
from trainers.techniques.instance_noise import InstanceNoise
from trainers.techniques.weight_clipping import WeightClipping
from zoo.batch import Batch
from zoo.datasets import DataSpec
from zoo.errors import RequestError
from zoo.layers import REFERENCE_SIZE, check_reference, set_reference

PENALTIES = {"gradient_norm": {"weight": 10.0}, "zero_centred": {"weight": 0.1, "at": "fake"}}
SETTINGS = {
    "penalties": {f"techniques.{name}": options for name, options in PENALTIES.items()},
    "instance noise": {"techniques.instance_noise": {"std": 0.3}},
    "weight clip": {"techniques.weight_clipping": {"bound": 0.05}},
    "label smoothing": {"objective_options.real_label": 0.9},
    "minibatch discrimination": {"critic.minibatch_discrimination": 3},
    "virtual batch normalisation": {
        "critic.normalization": "virtual_batch",
        "generator.normalization": "virtual_batch",
    },
}
#: Techniques that combine: minibatch discrimination compares examples, which excludes the penalties.
TOGETHER = {
    key: value for name in SETTINGS if name != "minibatch discrimination" for key, value in SETTINGS[name].items()
}
#: A penalty in every other step, at a place that takes a statistic of the global batch.
LAZY = {"techniques.gradient_norm": {"weight": 3.0, "at": "perturbed", "every": 2}}


def classes():
    """The classes of all objectives of points whose critic is a network, and of one as MIX+GAN, by name."""
    found = {name: objectives.METHODS.load(name) for name in objectives.METHODS.names()}
    found = {name: objective for name, objective in found.items() if "critic" in objective.configured}
    # Conditions are derived from images, and networks have stages for images; these are points.
    found = {name: each for name, each in found.items() if not each.derived and not hasattr(each, "seams")}
    return {**found, "mixture": Mixture.of(found["non_saturating"])}


CRITICS = list(classes())
LABELLED = [name for name, objective in classes().items() if issubclass(objective, Minimax)]
#: Those whose critic may mix examples, and can be of a family that does.
MIXING = [name for name, found in classes().items() if not (found.penalises_gradients or found.critic_families)]


def config_for(small_config, changes, objective="non_saturating"):
    config = small_config(objective)
    for key, value in changes.items():
        *groups, last = key.split(".")
        at = config
        for group in groups:
            at = at[group]
        at[last] = value
    # Plain descent: Adam turns the rounding of a gradient that is zero into a step of full length.
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.1}
    return config


def floats(gan):
    return [variable.numpy() for variable in gan.variables if "float" in variable.dtype]


def kernels(player):
    """Weights that every step moves: a bias can cancel between scores."""
    return [variable for variable in player.trainable_variables if len(variable.shape) > 1]


@pytest.fixture(scope="module")
def built(small_config, build):
    """A GAN of an objective in float64 with plain descent: built("hinge", changes), the same one when asked again."""

    @functools.cache
    def built(objective, *changes):
        components = {"mixture.components": 2} if objective == "mixture" else {}
        return build(
            config_for(small_config, {"train.precision": "float64", **components, **dict(changes)}, objective)
        ).model

    return built


@pytest.fixture
def played(built):
    """A game without techniques: played("hinge") → (gan, real examples, generated ones, noise)."""

    def played(objective, *changes):
        gan = built(objective, *changes)
        gan.techniques = ()
        if hasattr(gan, "real_label"):
            gan.real_label = 1.0
        if hasattr(gan, "multiplier"):
            gan.rho = 0.0  # It would move whenever the loss is computed.
        noise = gan.noise(8)
        return gan, Batch(tf.constant(np.random.default_rng(0).normal(size=(8, 2)))), gan.generate(noise), noise

    return played


class TestEveryObjective:
    """What a technique adds to an objective's own loss, whatever that is; the losses have oracles of their own."""

    @pytest.mark.parametrize("objective", CRITICS)
    def test_penalties_are_added_once_each_in_proportion_to_their_weight(self, objective, played):
        gan, real, fake, noise = played(objective)
        plain = float(gan.critic_total_loss(real, fake, noise))
        for name, options in PENALTIES.items():
            added = []
            for weight in (1.0, 2.0):
                gan.techniques = techniques.read({name: {**options, "weight": weight}}, 10)
                added.append(float(gan.critic_total_loss(real, fake, noise)) - plain)
            assert added[0] > 1e-4
            np.testing.assert_allclose(added[1], 2.0 * added[0], rtol=1e-9)
            if objective not in ("mixture", "manifold_diffusion"):
                # With a single critic it is the penalty itself, which is tested elsewhere.
                penalty = gan.techniques[0].critic_penalty(gan.critic, real, fake, noise, gan.step.value)
                np.testing.assert_allclose(2.0 * added[0], penalty, rtol=1e-9)

    @pytest.mark.parametrize("objective", CRITICS)
    def test_losses_under_instance_noise_are_those_of_noisy_examples(self, objective, played):
        gan, real, fake, noise = played(objective)
        part = InstanceNoise(std=0.5, until=10)

        def noisy(x, kind):
            return part.view(Batch(x), kind, noise, gan.step.value).x

        def losses(real, fake):
            return [float(loss(real, fake, noise)) for loss in (gan.critic_total_loss, gan.generator_total_loss)]

        plain = losses(real, fake)
        of_mixture = objective == "mixture"
        of_fake = [noisy(x, "fake") for x in (tf.unstack(fake.x) if of_mixture else [fake.x])]
        noisy_fake = fake._replace(x=tf.stack(of_fake) if of_mixture else of_fake[0])
        expected = losses(Batch(noisy(real.x, "real")), noisy_fake)
        gan.techniques = (part,)
        found = losses(real, fake)
        assert all(abs(one - other) > 1e-6 for one, other in zip(found, plain))
        # Losses with reconstructions cannot be compared: these are made, and get their noise, inside the loss.
        given = {"manifold_diffusion": 0, "mode_regularized": 1}.get(objective, 2)
        np.testing.assert_allclose(found[:given], expected[:given], rtol=1e-12)

    @pytest.mark.parametrize("objective", LABELLED)
    def test_a_smoothed_label_asks_for_less_of_real_scores(self, objective, played):
        gan, real, fake, noise = played(objective)
        plain = gan.critic_total_loss(real, fake, noise)
        gan.real_label = 0.9
        real_side = gan.reconstruct(real) if objective == "manifold_diffusion" else real
        # α sp(-D) + (1 - α) sp(D) = sp(-D) + (1 - α) D.
        expected = 0.1 * tf.reduce_mean(gan.critic(real_side.x, training=True))
        np.testing.assert_allclose(gan.critic_total_loss(real, fake, noise) - plain, expected, rtol=1e-9)

    @pytest.mark.parametrize("objective", CRITICS)
    def test_both_players_move_under_all_of_them_and_the_critic_stays_in_its_box(self, objective, played):
        gan, real, *_ = played(objective)
        gan.techniques = (*techniques.read(PENALTIES, 10), WeightClipping(bound=0.05), InstanceNoise(std=0.5, until=10))
        if hasattr(gan, "real_label"):
            gan.real_label = 0.9
        before = [variable.numpy() for player in (gan.generator, gan.critic) for variable in kernels(player)]
        logs = gan.train_step((real,) * gan.batches_per_step)
        assert all(np.isfinite(value) for value in logs.values())
        after = [variable.numpy() for player in (gan.generator, gan.critic) for variable in kernels(player)]
        assert all(np.abs(one - other).max() > 1e-6 for one, other in zip(before, after))
        bounded = [
            np.abs(variable).max() for variable in gan.critic.trainable_variables if gan.is_constrained(variable)
        ]
        assert max(bounded) == 0.05
        assert max(np.abs(variable).max() for variable in gan.generator.trainable_variables) > 0.05

    @pytest.mark.parametrize("objective", MIXING)
    def test_layers_that_compare_examples(self, objective, played):
        changes = {**SETTINGS["minibatch discrimination"], **SETTINGS["virtual batch normalisation"]}
        gan, real, *_ = played(objective, *changes.items())
        before = [variable.numpy() for player in (gan.generator, gan.critic) for variable in kernels(player)]
        logs = gan.train_step((real,) * gan.batches_per_step)
        assert all(np.isfinite(value) for value in logs.values())
        after = [variable.numpy() for player in (gan.generator, gan.critic) for variable in kernels(player)]
        assert all(np.abs(one - other).max() > 0 for one, other in zip(before, after))
        # The first example's score depends on the others, through the kernels alone.
        scores = [
            gan.critic(tf.concat([real.x[:1], others], 0), training=True)[0, 0] for others in (real.x[1:], -real.x[1:])
        ]
        assert abs(scores[0] - scores[1]) > 1e-6


@pytest.mark.parametrize(
    "changes", [TOGETHER, SETTINGS["minibatch discrimination"], LAZY], ids=["all", "minibatch", "lazy"]
)
class TestExecution:
    def test_two_replicas_learn_what_one_learns(self, changes, small_config, build, two_replicas):
        config = config_for(small_config, {**changes, "train.precision": "float64"})
        batch = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
        halves = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(batch, 2)[context.replica_id_in_sync_group])
        )
        one, two = build(config).model, build(config, strategy=two_replicas).model
        step = tf.function(lambda piece: two_replicas.run(two.train_step, args=((piece,),)), autograph=False)
        for _ in range(2):
            one.train_step((batch,))
            step(halves)
        for alone, shared in zip(floats(one), floats(two)):
            np.testing.assert_allclose(shared, alone, rtol=1e-9, atol=1e-12)

    def test_a_compiled_step_is_the_plain_step(self, changes, small_config, build):
        batch, weights = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32), []
        for jit_compile in (False, True):
            gan = build(config_for(small_config, changes)).model
            step = tf.function(gan.train_step, autograph=False, jit_compile=True) if jit_compile else gan.train_step
            for _ in range(2):
                step((tf.constant(batch),))
            weights.append(floats(gan))
        for plain, compiled in zip(*weights):
            np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-6)


def test_techniques_compose_with_the_second_order_dynamics(small_config, build):
    batch = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    for name in ("consensus", "locally_stable", "unrolled"):
        config = config_for(small_config, TOGETHER)
        config.dynamics, config.dynamics_options = name, {"surrogate": "sgd", "steps": 2} if name == "unrolled" else {}
        gan = build(config).model
        logs = gan.train_step((batch,))
        assert all(np.isfinite(value) for value in logs.values()), name
        assert all(np.all(np.isfinite(weight)) for weight in floats(gan)), name
        assert max(np.abs(weight).max() for weight in (v.numpy() for v in gan.critic.trainable_variables)) <= 0.05


@pytest.mark.parametrize("bounds, expected", [((0.01, 0.0), 0.01), ((0.0, 0.02), 0.02), ((0.05, 0.02), 0.02)])
def test_of_two_weight_bounds_the_tighter_holds(bounds, expected, small_config, build):
    config = small_config("wasserstein")
    config.objective_options.clip = bounds[0]
    if bounds[1]:
        config.techniques.weight_clipping.bound = bounds[1]
    gan = build(config).model
    critic = gan.players["critic"]
    critic.update([tf.zeros_like(variable) for variable in critic.variables])
    assert max(np.abs(weight.numpy()).max() for weight in gan.critic.trainable_variables) == np.float32(expected)
    assert max(np.abs(weight.numpy()).max() for weight in gan.generator.trainable_variables) > 0.1


def test_a_critic_whose_reference_batch_nobody_set_is_not_trained(tmp_path):
    data = tf.data.Dataset.from_tensors(np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32))

    def by_hand(reference):
        critic = zoo.MLPCritic((2,), hidden_units=(4,), normalization="virtual_batch")
        if reference is not None:
            set_reference(critic, reference)
        # A generator's reference is latents, as it was drawn.
        gan = NonSaturating(zoo.MLPGenerator((2,), hidden_units=(4,), normalization="virtual_batch"), critic)
        gan.compile(run_eagerly=True)
        return gan

    with pytest.raises(RequestError, match="no reference batch; expected real examples"):
        by_hand(None).fit(data, verbose=0)
    trained, restored = by_hand(np.ones((8, 2))), by_hand(None)
    trained.fit(data, verbose=0)
    Checkpoints(tmp_path).save(trained)
    Checkpoints(tmp_path).restore_newest(restored)
    restored.fit(data, verbose=0)
    mixed = zoo.MixtureCritic((2,), 2, network={"hidden_units": (4,), "normalization": "virtual_batch"})
    with pytest.raises(RequestError, match=r"mixture_critic\w*: its virtual batch normalisation has no reference"):
        check_reference(mixed)
    set_reference(mixed, np.ones((8, 2)))
    check_reference(mixed)


def test_a_critics_reference_batch_is_the_datas_and_is_in_the_checkpoint(small_config, build, tmp_path):
    config = config_for(small_config, SETTINGS["virtual batch normalisation"])
    run = build(config)
    examples = run.data.arrays("train", REFERENCE_SIZE)[0]
    np.testing.assert_array_equal(run.model.critic.trunk.reference, examples)
    latents = run.model.generator.layout.reference.numpy()
    np.testing.assert_array_equal(run.model.averaged_generator.layout.reference, latents)
    Checkpoints(tmp_path).save(run.model)
    # Opened without its data, as a run on disk is: from the checkpoint alone.
    again = building.build(config, spec=DataSpec((2,)))
    assert not np.array_equal(again.model.critic.trunk.reference, examples)
    again.model.generator.layout.reference.assign(0.0 * latents)
    Checkpoints(tmp_path).restore(again.model, 0)
    np.testing.assert_array_equal(again.model.critic.trunk.reference, examples)
    np.testing.assert_array_equal(again.model.generator.layout.reference, latents)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"techniques.weight_clipping": {"bound": -0.1}},
            "config.techniques.weight_clipping.bound: -0.1; expected a number",
        ),
        ({"techniques.r1": {"weight": 1.0}}, "config.techniques.r1: 'r1'; expected one of 'gradient_norm', "),
        (
            {"critic.minibatch_discrimination": -3},
            "minibatch_discrimination: -3; expected a whole number, 0 to",
        ),
        (
            {"critic.minibatch_discrimination": 3, "train.batch_size": 1},
            "config.train.batch_size: 1; config.critic.minibatch_discrimination compares the examples of a batch",
        ),
        ({"generator.normalization": "virtual"}, "'virtual'; did you mean 'virtual_batch'"),
    ],
)
def test_wrong_requests_are_refused(changes, message, small_config, build):
    with pytest.raises(RequestError, match=message):
        build(config_for(small_config, changes))


def test_the_list_names_every_method_with_its_source_and_without_tensorflow():
    code = "import sys; from trainers import train, program; sys.argv = ['train.py', '--list']\n" + (
        "try: train.run()\nfinally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *lines, imported = done.stdout.splitlines()
    assert imported == "False"
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == [
        *objectives.METHODS.names(),
        *dynamics.METHODS.names(),
        *techniques.METHODS.names(),
        *techniques.ELSEWHERE,
    ]
    for line in lines:
        if line.startswith("  "):
            # Each line gives a source: a year, and more words than the name.
            assert any(year in line for year in map(str, range(2000, 2030))), line
            assert len(line.split()) > 5


def test_an_option_that_the_config_does_not_list_can_be_given_on_the_command_line(tmp_path):
    flags = ["--config.dynamics=consensus", "--config.dynamics_options.gama=1", f"--workdir={tmp_path}/run"]
    done = subprocess.run(
        [sys.executable, "-m", "trainers.train", "--config=configs/ring.py", *flags], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "config.dynamics_options.gama: no option of consensus, which takes gamma, critic_steps" in done.stderr
