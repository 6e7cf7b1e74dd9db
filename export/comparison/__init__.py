"""Reports side by side: a table for each data set and feature extractor, a row for each method.

=============== =======================================================================================================
module          holds
=============== =======================================================================================================
entries         `Entry`, what a table keeps of one report; read from workdirs, SavedModels and reports' folders
significance    p-values of differences, over seeds and from intervals, and Holm's correction
tables          `Table` and `Row`: entries by data, features and method; ranks, and which rows cannot be told apart
pages           the tables in Markdown, and as one HTML file that needs no other
=============== =======================================================================================================

`leaderboard.json`, which `export.leaderboard` writes beside its pages:

    schema_version  int, 1
    generated       {by, time (ISO 8601, UTC)}
    tables          [{data, features, num_samples, rank_by, rows, comparisons}], data being {source, data_shape,
                    num_classes, class_names, num_train, num_test} and features {name, version, checksum} or null
        rows        [{method, networks, differs, rank, seeds, steps, images_seen, seconds, reports, provenance,
                    metrics}], rank and all from seeds to provenance null where they are not known. reports: their
                    paths. metrics: {name: {mean, std, values, interval, level, of}}, std null for one seed, interval
                    and level null for several or where there is none, of the total where the metric is a count, or null
        comparisons [{rows: [i, j], p, adjusted_p, test, reason}] of every two rows in `rank_by`: test is a key of
                    export.comparison.significance.TESTS, adjusted_p Holm's over the table; all three null where
                    there is none, and then reason says why
"""
