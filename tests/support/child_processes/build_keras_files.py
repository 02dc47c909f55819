"""A process of its own for what needs TensorFlow: `build_keras_files.py FOLDER`.

Writes Keras files, good and unfit, with what Keras itself answers on prepared pictures;
then converts the jobs of FOLDER/jobs.json and keeps each report or refusal in found.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (64, 48, 3)
UNSCALED = {"logits"}  # scales its input itself; the others take 0-1


def network(shape: tuple[int | None, ...], outputs: int, activation: str | None, scale: float | None = None) -> Any:
    """A small network whose answers differ from picture to picture."""
    import keras
    from keras import layers

    start = x = keras.Input(shape)
    if scale:
        x = layers.Rescaling(scale)(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    wide = keras.initializers.RandomNormal(stddev=3.0)
    return keras.Model(start, layers.Dense(outputs, activation=activation, kernel_initializer=wide)(x))


def keep(folder: Path, name: str, model: Any, suffix: str = ".keras") -> None:
    """Save the model, and its answers to the prepared pictures."""
    model.save(folder / (name + suffix))
    _, height, width, channels = model.input_shape
    pictures = np.load(folder / f"pictures_{height or SHAPE[0]}x{width or SHAPE[1]}x{channels}.npy")
    scale = 1 if name in UNSCALED else 1 / 255
    np.save(folder / f"{name}.npy", np.asarray(model(pictures * scale, training=False)))


def build_first(folder: Path) -> None:
    """The file that the test converts the whole way, then the file `ready`; and two with Python code inside."""
    import keras
    from keras import layers

    keep(folder, "pneumonia_model", network((40, 40, 1), 1, "sigmoid"), ".h5")
    (folder / "ready").touch()
    start = keras.Input(SHAPE)
    with_code = layers.GlobalAveragePooling2D()(layers.Lambda(lambda t: t)(start))
    model = keras.Model(start, layers.Dense(2)(with_code))
    model.save(folder / "lambda.keras")
    model.save(folder / "lambda.h5")


def build_good(folder: Path) -> None:
    """Files that can be served."""
    keep(folder, "smaller", network((32, 40, 3), 3, "softmax"))
    keep(folder, "larger", network((80, 96, 3), 3, "softmax"))
    keep(folder, "logits", network((None, None, 3), 3, None, 1 / 127.5))
    keep(folder, "single_logit", network(SHAPE, 1, None))
    keep(folder, "many_labels", network(SHAPE, 3, "sigmoid"))


def build_unfit(folder: Path) -> None:
    """Files that must be refused."""
    import keras
    from keras import layers

    class Homemade(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    rectified = network(SHAPE, 3, "relu")
    rectified.layers[-1].bias.assign([5.0, 5.0, 5.0])
    start, other = keras.Input(SHAPE), keras.Input(SHAPE)
    pool = layers.GlobalAveragePooling2D
    models = {
        "rectified": rectified,
        "seven": network(SHAPE, 7, "softmax"),
        "two_channels": network((64, 48, 2), 3, "softmax"),
        "map": keras.Model(start, layers.Conv2D(3, 1)(start)),
        "table": keras.Sequential([keras.Input((12,)), layers.Dense(3)]),
        "homemade": keras.Model(start, layers.Dense(3)(pool()(Homemade()(start)))),
        "two_inputs": keras.Model([start, other], layers.Dense(3)(pool()(layers.add([start, other])))),
    }
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    (folder / "cut.keras").write_bytes((folder / "smaller.keras").read_bytes()[:3000])
    (folder / "text.h5").write_text("no model at all")


def convert(fields: dict[str, Any]) -> dict[str, Any]:
    """One job's report, or why it was refused."""
    from ml_model.errors import BundleInvalid
    from ml_model.user_models import keras_converter
    from ml_model.user_models.conversion import ConversionJob

    job = ConversionJob(**{key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()})
    Path(job.target_dir).mkdir()
    try:
        return keras_converter.convert(job)
    except BundleInvalid as error:
        return {"error": str(error)}


def main(folder: Path) -> None:
    """Build, then convert."""
    import keras

    keras.utils.set_random_seed(0)
    build_first(folder)
    build_good(folder)
    build_unfit(folder)
    jobs = json.loads((folder / "jobs.json").read_text())
    (folder / "found.json").write_text(json.dumps({name: convert(fields) for name, fields in jobs.items()}))


if __name__ == "__main__":
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    main(Path(sys.argv[1]))
