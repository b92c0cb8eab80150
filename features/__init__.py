"""Which predictors at which time, and how they are encoded. Nothing is fitted outside a training fold."""
