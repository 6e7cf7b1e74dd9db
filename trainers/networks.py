"""From a config to networks, untrained or with a pretrained model's weights. Free of TensorFlow until it makes them."""

import itertools

from zoo import families, pretrained
from zoo.errors import RequestError
from zoo.pretrained import networks as stored


def make(config, spec, objective):
    """The networks that `config` describes for its objective.

    Args:
        config: ml_collections.ConfigDict, completed by `trainers.resolve.resolve`.
        spec: `zoo.datasets.DataSpec` of the data.
        objective: the objective's class.

    Returns:
        List of Keras models, in the order of `objective.configured`.

    Raises:
        RequestError: options that a network does not take, or a family that the objective cannot play with.
    """
    generator = _composed(config, "generator", spec)
    _check_conditions(config, generator, objective)
    made = {"generator": objective.compose_generator(generator, config.objective_options, spec)}
    if "critic" in objective.configured:
        if objective.critic_families and config.critic.family not in objective.critic_families:
            use = " or ".join(objective.critic_families)
            raise RequestError(f"config.critic.family: {config.critic.family!r}; {config.objective} needs {use}")
        made["critic"] = _composed(config, "critic", spec)
    if "encoder" in objective.configured:
        from zoo.encoder import Encoder

        family, network = _family(config.encoder)
        code_dim = objective.codes_per_latent * made["generator"].latent_dim
        options = {"code_dim": code_dim, "family": family, "network": network}
        made["encoder"] = _made(config, "encoder", Encoder, spec, options)
    return [made[name] for name in objective.configured]


def load_weights(made, source):
    """Gives networks the weights of an exported model's, whose generator is the moving average of its training.

    Args:
        made: {name: Keras model}.
        source: ``zoo:NAME``, or the directory of a model that `export.saved_model` wrote.

    Raises:
        RequestError: it lacks one of the networks, or one has other weights.
    """
    where = f"config.init_from: {source!r}"
    version = pretrained.find_saved_model(source, "config.init_from")
    for name in made:
        if name not in stored.names(version):
            raise RequestError(f"{where}; it holds no {name}, expected a model exported from a run of this objective")
    for name, network in made.items():
        weights = stored.read(version, name).variables
        found, asked = ([tuple(each.shape) for each in variables] for variables in (weights, network.variables))
        for number, shapes in enumerate(itertools.zip_longest(found, asked)):
            if shapes[0] != shapes[1]:
                raise RequestError(
                    f"{where}; weight {number} of its {name} is {shapes[0]}, of config.{name} {shapes[1]}"
                )
        for variable, weight in zip(network.variables, weights, strict=True):
            variable.assign(weight)


def _check_conditions(config, generator, objective):
    """Raises RequestError unless the generator takes just the conditions that the objective has, beside labels."""
    taken, given = set(getattr(generator, "conditions", ())), {*objective.derived, *objective.reads}
    where = f"config.generator.family: {config.generator.family!r}"
    for name in taken - given - {"label"}:
        raise RequestError(f"{where} makes images of {name}, which {config.objective} does not give")
    for name in given - taken:
        rows = ((key, families.FAMILIES[key].generator_class()) for key in families.names("generator"))
        use = " or ".join(key for key, row in rows if name in getattr(row, "conditions", ()))
        raise RequestError(f"{where}; {config.objective} gives its generator {name}, use {use}")


def _family(network):
    options = dict(network)
    return options.pop("family"), options


def _composed(config, player, spec):
    """A player's network: of its family alone, or as what mixes several or is told labels."""
    name, options = _family(config[player])
    generates = player == "generator"
    if config.mixture.components > 1:
        from zoo import mixture

        network = mixture.MixtureGenerator if generates else mixture.MixtureCritic
        given = {"components": config.mixture.components, "shared_layers": config.mixture.shared_layers}
        options = {"family": name, "network": options, **given}
    elif config.conditional.critic != "none":
        from zoo import conditional

        network = conditional.ConditionalGenerator if generates else conditional.ConditionalCritic
        given = {"num_classes": spec.num_classes, "embedding_dim": config.conditional.embedding_dim}
        told = {} if generates else {"told_by": config.conditional.critic}
        options = {"family": name, "network": options, **given, **told}
    else:
        family = families.FAMILIES[name]
        network = family.generator_class() if generates else family.critic_class()
        options |= network.facts(spec)
    return _made(config, player, network, spec, options)


def _made(config, player, network, spec, options):
    try:
        return network(spec.data_shape, dtype=config.train.precision, **options)
    except RequestError:
        raise
    except (TypeError, ValueError) as error:
        raise RequestError(f"config.{player}: {network.__name__} does not take {options}: {error}") from error
