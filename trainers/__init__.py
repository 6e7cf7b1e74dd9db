"""Training: the training-step template, objectives, dynamics, techniques, and runs on disk. Imports zoo."""
