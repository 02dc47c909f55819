"""Shared fixtures: tiny real bundles, pictures, and applications around them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import chest_film
from PIL import Image
from samples import write_tiny, write_tiny_signal

from backend.app import Application, create_app
from backend.config import Config
from ml_model.inference.bundle import MODELS_DIR, Bundle
from ml_model.tasks.registry import load_image_tasks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process waits for another at the end."""
    items.sort(key=lambda item: "/training/" not in item.nodeid)


@pytest.fixture(scope="session")
def write_tiny_bundle() -> Callable[..., Bundle]:
    """Factory: `write_tiny_bundle(task, folder, maps=True)` writes `folder/<task id>` and returns the bundle."""
    return write_tiny


@pytest.fixture(scope="session")
def live_app(tmp_path_factory: pytest.TempPathFactory, write_tiny_bundle: Callable[..., Bundle]) -> Application:
    """Every image task of the registry with a tiny model; the other tasks with their shipped ones."""
    root = tmp_path_factory.mktemp("live")
    for task in load_image_tasks():
        write_tiny_bundle(task, root / "models")
        if task.signal:
            write_tiny_signal(task, root / "models")
    return _ready(root, (root / "models", MODELS_DIR))


@pytest.fixture(scope="session")
def demo_app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The registry without a single model."""
    return _ready(tmp_path_factory.mktemp("demo"), ())


def _ready(root: Path, model_dirs: tuple[Path, ...]) -> Application:
    # Kinds of picture are not told apart, so that drawn ones serve for every task.
    config = Config(
        model_dirs=model_dirs, user_models_dir=root / "none", data_dir=root / "data", log=False, input_gate=False
    )
    app = create_app(config)
    assert app.services.models.wait_ready()
    return app


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Factory of grey pictures with structure: `picture(width_px=600, height_px=450, format="JPEG", seed=0)`.

    Whoever takes one for a chest film finds it upright.
    """

    def make(width_px: int = 600, height_px: int = 450, format: str = "JPEG", seed: int = 0) -> bytes:
        rng = np.random.default_rng(seed)
        coarse, fine = (rng.integers(0, 256, size, dtype=np.uint8) for size in ((6, 8), (36, 48)))
        film, *layers = (
            Image.fromarray(x).resize((width_px, height_px), Image.Resampling.BICUBIC).convert("RGB")
            for x in (chest_film(), coarse, fine)
        )
        stream = io.BytesIO()
        Image.blend(Image.blend(*layers, alpha=0.15), film, alpha=0.5).save(stream, format)
        return stream.getvalue()

    return make
