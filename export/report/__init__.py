"""Reports on an evaluation, whose numbers `export.evaluation` makes: report.json (`document`), the pages (`pages`), and
their pictures (`pictures`) and diagrams (`figures`). `writer` writes them all.

`report.json` is a public format. Keys marked ? are absent where they do not apply; numbers that are not
finite are null.

    schema_version   int, 2. Raised when a key changes its meaning or goes; new keys do not raise it.
    generated        {by, tensorflow, time (ISO 8601, UTC), hardware?: of the evaluation, in words}
    generator        what was evaluated:
        origin       "workdir", "saved_model", or "samples": samples that another tool made, without a generator
        path         str
        data_shape   [H, W, C] or [d]
        latent_dim?  int; absent for "samples"
        parameters?  int; absent for "samples"
        told_captions? true where the generator is told captions: its seeds choose them where none are given
        told_labels? true where the generator is told labels: its seeds choose them where none are given
        objective?, dynamics?, step?, images_seen?, seed?, config?, config_schema_version?
                     of the training run, where it is known; images_seen counts real examples
    data             {source, data_shape, num_classes, class_names, num_train, num_test}; the last two null without end
    sampling         {num_samples, num_asked, num_reference, first_seed?, seeded?, num_given?}: examples of seeds
                     first_seed, …; seeded is false where the model takes latents only. Of "samples" num_given, how many
                     there are, takes the place of both. Images are measured as uint8 pixels
    features?        images only: what the extractor tells of itself: {name, version, checksum, dim, test_accuracy,
                     chance (what naming the commonest class always gets right), …}
    metrics          {name: metric}, a metric being
        value        float or null
        interval     [low, high] or null. It covers the value that is expected over new draws of as many samples and
                     held-out examples; the generator is held fixed
        level?       float, the interval's coverage; absent without an interval
        method?      a key of export.metrics.intervals.METHODS; absent without an interval
        caveat?      str, where the interval was measured to cover more or less than `level` says
        no_interval? str, why there is none; absent with an interval
        num_samples  int, generated examples behind the value
        num_reference  int or null, held-out examples behind it; null where none are needed
        better       "lower", "higher" or "one"
        about        str, what it is, in a sentence
        real?        the value that training examples reach in the samples' place: where a perfect generator lands
        untrained?   the value of the same generator before its first step
        percent_of_untrained?  100 · value / untrained
        of?          int: a count's total (modes found, of all)
    classes?         [{name, share, interval, reference_share, agreement?, agreement_interval?, real_agreement?}],
                     images: as the extractor's classifier sees samples and test images; points: share of the
                     high-quality samples on each mode. The last three where the generator is told labels: the share of
                     the samples made for the class that are seen as of it, its interval of level 0.95, and what
                     training examples reach; null where there is no such example
    codes?           [{name, values, information, interval, entropy}], where the generator has latent codes: of each
                     the number of its values, null if continuous; the lower bound of its mutual information with the
                     samples, in nats, its interval of level 0.95, and H(c)
    pairs?           images only, {copies: [{seed, training_index, distance}], duplicates: [{seed, other_seed,
                     distance}]}: the samples nearest to a training image, an index among those that were compared, in
                     the order in which the data gives them for seed 0; and those nearest to one another, by features
    sections         {name: section}, name being one of mode_collapse, vanishing_gradients, non_convergence,
                     generalization, super_resolution. A section that was not measured is absent; `notes` says why. A
                     section is
        level        "none", "partial" or "severe"
        verdict      str, in words, the leading finding first
        leading?     str, the verdict with its leading finding alone; absent where it has no other
        try_next?    str, what to try next; absent where nothing needs to be tried
        rests_on     {str: number or null}, the numbers behind it
        curves?      vanishing_gradients: {str: [number]}, one for each look at a critic that is trained anew against
                     the generator held fixed: step, critic_loss, critic_accuracy, and for both of minimax and
                     non_saturating NAME_gradient_norm and NAME_gradient_variance
        eigenvalues? non_convergence: [[real, imaginary]] of the Jacobian of the players' moves, θ̇ = -v(θ), the largest
                     first; where rests_on.all_eigenvalues is 0, those that were found
        path?        non_convergence: {position, cosine, norm}, lists: places on the line from an older checkpoint, 0,
                     through this one, 1; the cosine of -v and the line; ‖v‖
        best_response?  generalization: {step, critic_gain, generator_gain}, lists: what the player's loss falls by in
                     training of its own
    notes            [str], what a reader of the numbers should know

Version 1 had bootstrap intervals, whose coverage was not what `level` said (`method` "percentile" or "centred", with a
number of `resamples`; `level` null and no reason where there was none). All else is as in version 2.
"""

import json

from etils import epath

SCHEMA_VERSION = 2


def step(directory):
    """Step of the training run that the report in `directory` is of; None without a report, or where it tells none."""
    path = epath.Path(directory) / "report.json"
    return json.loads(path.read_text())["generator"].get("step") if path.exists() else None
