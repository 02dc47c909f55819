"""The published network on recordings: its tensors give, in Keras and in ONNX, what they give where they were made."""

from __future__ import annotations

from math import erf
from pathlib import Path

import numpy as np
import pytest
from beats import twelve_leads
from networks import made_tensors, wrap, write_tensors
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt

from ml_model.inference.predictor import Predictor

Array = NDArray[np.float64]


def in_plain_numpy(signal: Array, tensors: dict[str, NDArray[np.float32]], activation: str, records: Array) -> Array:
    """Logits of (time, 12) as PyTorch computes them: symmetric padding, channels first."""

    def filtered(x: Array) -> Array:
        return np.asarray(filtfilt(*butter(4, (0.5, 40), "bandpass", fs=100), x, axis=-2))

    def active(x: Array) -> Array:
        return np.maximum(x, 0) if activation == "relu" else x * (0.5 + 0.5 * np.vectorize(erf)(x / np.sqrt(2)))

    def convolved(x: Array, name: str, norm: str, stride: int) -> Array:
        kernel = tensors[f"{name}.weight"]
        width = kernel.shape[2]
        padded = np.pad(x, ((0, 0), (width // 2, width // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, ::stride]
        y = np.einsum("itk,oik->ot", windows, kernel)
        weight, bias, mean, variance = (tensors[f"{norm}.{p}"][:, None] for p in
                                        ("weight", "bias", "running_mean", "running_var"))  # fmt: skip
        return np.asarray((y - mean) / np.sqrt(variance + 1e-5) * weight + bias)

    def block(x: Array, name: str, stride: int) -> Array:
        y = active(convolved(x, f"{name}.conv1", f"{name}.bn1", stride))
        y = convolved(y, f"{name}.conv2", f"{name}.bn2", 1)
        return active(y + (convolved(x, f"{name}.shortcut.0", f"{name}.shortcut.1", 2) if stride > 1 else x))

    all_filtered = filtered(records)
    standard = (filtered(signal) - all_filtered.mean(axis=(0, 1))) / all_filtered.std(axis=(0, 1))
    x = active(convolved(standard.T, "stem.0", "stem.1", 2))
    padded = np.pad(x, ((0, 0), (1, 1)), constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::2].max(axis=2)
    x = block(block(x, "blocks.0", 1), "blocks.1", 2)
    return np.asarray(tensors["head.weight"] @ x.mean(axis=1) + tensors["head.bias"])


@pytest.mark.parametrize(("network", "activation"), [("loss_bce", "relu"), ("act_gelu", "gelu")])
def test_published_tensors_answer_as_where_they_were_made(network: str, activation: str, tmp_path: Path) -> None:
    from ml_model.training.models.ecg_resnet import ecg_resnet
    from ml_model.training.models.onnx_export import export_onnx

    tensors, file = made_tensors(), write_tensors(tmp_path, network)
    records = np.stack([twelve_leads(seconds=4, seed=s) for s in range(3)])
    model = ecg_resnet(network, file, records)
    expected = np.stack([in_plain_numpy(one, tensors, activation, records) for one in records])
    assert np.ptp(expected) > 0.5
    assert np.abs(np.asarray(model(records)) - expected).max() < 5e-3
    export_onnx(model, tmp_path / "model.onnx", multi_label=True)
    got = Predictor(wrap(tmp_path)).predict_signals(records).probabilities
    assert np.abs(got - 1 / (1 + np.exp(-expected))).max() < 3e-3


def test_a_file_without_the_network_is_refused(tmp_path: Path) -> None:
    from ml_model.training.models.ecg_resnet import ecg_resnet

    np.savez(tmp_path / "other.npz", **{"loss_bce/head.bias": np.zeros(5)})
    with pytest.raises(ValueError, match="holds no tensors of act_gelu"):
        ecg_resnet("act_gelu", tmp_path / "other.npz", np.zeros((1, 400, 12), np.float32))
