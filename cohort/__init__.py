"""From a file to a checked :class:`~cohort.types.Cohort`; knows no model."""
