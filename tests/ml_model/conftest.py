"""Shared fixtures: the shipped models of symptoms and of heart risk, and a small one of symptoms, trained here."""

from __future__ import annotations

import pytest
from small_symptoms import small_task, write_small_data

from ml_model.inference.bundle import MODELS_DIR, Bundle, load_bundle
from ml_model.symptoms.checker import SymptomChecker
from ml_model.symptoms.engine import SymptomEngine
from ml_model.tabular.symptom_model import SymptomModel
from ml_model.tasks.registry import load_task
from ml_model.training.symptoms.bundle import train


def shipped(task_id: str) -> Bundle:
    return load_bundle(MODELS_DIR / task_id, task=task_id, contract_sha256=load_task(task_id).contract_sha256)


@pytest.fixture(scope="session")
def heart_bundle() -> Bundle:
    return shipped("heart-risk")


@pytest.fixture(scope="session")
def disease_bundle() -> Bundle:
    return shipped("disease")


@pytest.fixture(scope="session")
def disease_model(disease_bundle: Bundle) -> SymptomModel:
    return SymptomModel.load(disease_bundle)


@pytest.fixture(scope="session")
def shipped_checker(disease_bundle: Bundle) -> SymptomChecker:
    checker = SymptomEngine.load(disease_bundle).checker
    assert checker is not None
    return checker


@pytest.fixture(scope="session")
def small_disease_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("symptoms")
    write_small_data(folder)
    return train(small_task(), folder, folder / "out", seed=0)


@pytest.fixture(scope="session")
def small_disease_model(small_disease_bundle: Bundle) -> SymptomModel:
    return SymptomModel.load(small_disease_bundle)
