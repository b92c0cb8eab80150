"""Anything that turns (predictors, outcome) into risk at horizons: one file a model, one line in the registry."""
