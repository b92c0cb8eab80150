"""Resampling, metrics, inference, tables, figures and the report; knows no Prefect and no MLflow."""
