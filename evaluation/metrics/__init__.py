"""One file a metric. Every metric takes predictions and patient weights, and gives one value a row of weights."""
