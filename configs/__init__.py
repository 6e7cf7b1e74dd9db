"""ml_collections configs, one a data set; the objective is the variant after the colon."""
