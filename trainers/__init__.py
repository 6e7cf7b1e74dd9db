"""How a zoo model learns: the training-step template, objectives, dynamics, and runs on disk. Imports zoo."""
