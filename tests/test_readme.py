"""What the README shows works as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from cohort.contract import Contract
from flows.cli import main
from flows.config import BenchmarkConfig
from flows.validation_config import ValidationConfig

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_contract_in_the_readme_is_valid():
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    contract = Contract.model_validate(yaml.safe_load(block))
    assert contract.variables()["albumin"].unit == "g/l"


@pytest.mark.parametrize("config", re.findall(r"--param 'config=(\{.*?\})'", README))
def test_the_deployment_parameters_in_the_readme_are_valid(config: str):
    settings = json.loads(config)
    (ValidationConfig if "test" in settings else BenchmarkConfig).model_validate(settings)


def test_the_commands_in_the_readme_exist():
    shown = set(re.findall(r"crlm (\w+)", README)) | {"serve"}
    assert shown - {"serve"} <= set(main.commands) | {"the"}
    assert set(main.commands) == {"benchmark", "reproduce", "validate", "cohort", "serve"}


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([\w/.]+)\)", README))))
def test_the_files_that_the_readme_links_exist(path: str):
    assert (Path(__file__).parent.parent / path).exists()


def test_the_make_targets_in_the_readme_exist():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (\w+)", README)) - {"MLflow"}:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
