"""Configuration, orchestration and tracking: thin. The only folder that imports Prefect and MLflow."""
