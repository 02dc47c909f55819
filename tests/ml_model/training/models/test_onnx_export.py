"""The exported graph: what Keras computes, with the maps that automatic differentiation gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import CLASSES, LAST_FILTERS, SIZE_PX, gradient_tape_maps, varied, wrap

from ml_model.inference.predictor import Predictor


@pytest.fixture(scope="module", params=["mean", "mean_max"])
def trained(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A model whose batch norms and biases are not the identity."""
    import keras

    from ml_model.training.models.image_classifier import build_model

    keras.utils.set_random_seed(0)
    model = build_model("small_cnn", classes=CLASSES, size_px=SIZE_PX, pooling=request.param, hidden_units=(16, 8))
    rng = np.random.default_rng(0)
    weights = varied(model, rng)
    model.set_weights(weights)
    return model


@pytest.fixture(scope="module")
def exports(trained, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Folders of the exported model, by whether several classes may be true."""
    from ml_model.training.models.onnx_export import export_onnx

    folders = {multi_label: tmp_path_factory.mktemp("export") for multi_label in (False, True)}
    for multi_label, folder in folders.items():
        export_onnx(trained, folder / "model.onnx", multi_label=multi_label)
    return folders


@pytest.mark.parametrize("multi_label", [False, True])
def test_export_equals_keras_on_both_engines(trained, exports: dict[bool, Path], multi_label: bool) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from ml_model.training.models.onnx_export import served_outputs

    pictures = np.random.default_rng(1).integers(0, 256, (3, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    expected = [np.asarray(x) for x in served_outputs(trained, pictures, multi_label=multi_label)]
    assert np.abs(expected[1] - gradient_tape_maps(trained, pictures)).max() < 1e-6 * expected[1].max()
    for engine in ("openvino", "onnxruntime"):
        got = Predictor(wrap(exports[multi_label]), engine=engine).predict(pictures)
        for name, value in zip(("probabilities", "activation_maps", "embedding"), expected, strict=True):
            # float16 weights: equal to three digits, not to the last bit
            assert np.abs(getattr(got, name) - value).max() < 3e-3 * np.abs(value).max(), (engine, name)


def test_mirror_images_are_averaged_and_their_maps_turned_back(  # type: ignore[no-untyped-def]
    trained,  # noqa: ANN001
    exports: dict[bool, Path],
    tmp_path: Path,
) -> None:
    from ml_model.training.models.onnx_export import export_onnx

    export_onnx(trained, tmp_path / "model.onnx", multi_label=False, flips=("horizontal", "vertical"))
    picture = np.random.default_rng(2).integers(0, 256, (1, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    predictor = Predictor(wrap(tmp_path), engine="openvino")
    got = predictor.predict(picture)
    for axis in (1, 2):
        mirrored = predictor.predict(np.flip(picture, axis))
        assert np.abs(mirrored.probabilities - got.probabilities).max() < 1e-5
        turned_back = np.flip(mirrored.activation_maps, axis + 1)
        assert np.abs(turned_back - got.activation_maps).max() < 1e-4 * got.activation_maps.max()
    plain = Predictor(wrap(exports[False]), engine="openvino")
    views = [picture, picture[:, ::-1], picture[:, :, ::-1], picture[:, ::-1, ::-1]]
    mean = np.mean([plain.predict(view).embedding for view in views], axis=0)
    means = slice(0, LAST_FILTERS)  # the maximum of a mean is not the mean of the maxima
    assert np.abs(mean - got.embedding)[:, means].max() < 1e-3 * np.abs(mean).max()


def test_weights_are_stored_in_half_the_bytes(exports: dict[bool, Path]) -> None:
    import onnx
    from onnx import TensorProto

    from ml_model.training.models.onnx_export import SMALL_TENSOR

    tensors = onnx.load(exports[False] / "model.onnx").graph.initializer
    large = {t.data_type for t in tensors if np.prod(t.dims) > SMALL_TENSOR}
    assert large == {TensorProto.FLOAT16}


@pytest.mark.parametrize("backbone", ["efficientnetv2b0", "efficientnetb0", "mobilenetv2", "resnet50", "densenet121"])
def test_every_backbone_exports_what_it_computes(backbone: str, tmp_path: Path) -> None:
    """Its batch statistics follow within a short training: five hundred steps forget where the averages started."""
    import keras

    from ml_model.training.models.image_classifier import build_model
    from ml_model.training.models.onnx_export import export_onnx, served_outputs

    keras.utils.set_random_seed(1)
    model = build_model(backbone, classes=CLASSES, size_px=SIZE_PX)
    norms = [layer for layer in model.layers if "BatchNorm" in type(layer).__name__]
    assert len(norms) > 20
    assert max(norm.momentum for norm in norms) ** 500 < 0.01
    export_onnx(model, tmp_path / "model.onnx", multi_label=False)
    pictures = np.random.default_rng(1).integers(0, 256, (2, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    probabilities, maps, _ = (np.asarray(x) for x in served_outputs(model, pictures, multi_label=False))
    got = Predictor(wrap(tmp_path), engine="openvino").predict(pictures)
    assert got.activation_maps.shape == maps.shape
    assert np.abs(got.probabilities - probabilities).max() < 5e-3


def test_five_hundred_steps_of_keras_own_mobilenetv2_keep_60_percent_of_where_its_averages_started() -> None:
    import keras

    assert keras.applications.MobileNetV2(weights=None, include_top=False).get_layer("bn_Conv1").momentum ** 500 > 0.6


def test_a_simplification_that_fails_is_told_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf
    from onnx.reference import ReferenceEvaluator
    from tf2onnx import optimizer

    from ml_model.training.models.onnx_export import frozen_graph

    def broken() -> None:
        raise ArithmeticError

    def twice(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * 2.0}

    monkeypatch.setitem(optimizer._optimizers, "broken", broken)
    signature = tf.TensorSpec((None, 2), tf.float32, name="x")
    with pytest.raises(ArithmeticError):
        frozen_graph(twice, signature, ["y"])
    kept = frozen_graph(twice, signature, ["y"], forgiving=True)
    assert ReferenceEvaluator(kept).run(None, {"x": np.ones((1, 2), np.float32)})[0].tolist() == [[2, 2]]
