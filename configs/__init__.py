"""ml_collections configs, one for each data set; the variant, an objective, follows the colon after the file name."""
