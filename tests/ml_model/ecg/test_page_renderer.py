"""Drawn ECG pages: scales, windows and gaps read back from the ink, and photos of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from beats import write_ptb_xl
from numpy.typing import NDArray
from samples import image_task

from ml_model.ecg.page_renderer import (
    DEFAULT_STYLE,
    LeadBox,
    Page,
    PageStyle,
    draw_page,
    render,
)
from ml_model.ecg.page_style import GRIDS, LAYOUTS, Layout, random_style, styles_for_record
from ml_model.ecg.recording import STANDARD_LEADS, EcgRecording
from ml_model.inputs.images.decoder import load_image
from ml_model.training.augmentation.page_photos import CORRUPTIONS, _bent, photograph
from ml_model.training.data.decoded_cache import picture_bytes, shown
from ml_model.training.data.samples import Sample

WHITE = (255, 255, 255)
BARE = PageStyle(
    rhythm_leads=(), grid="none", labels=False, header=False, calibration_pulse=False, paper=WHITE, ink=(0, 0, 0)
)  # fmt: skip
HZ = 250.0


def recording_of(signal_mv: NDArray[np.float64]) -> EcgRecording:
    return EcgRecording(signal_mv.astype(np.float32), HZ)


def flat(seconds: float = 10.0) -> NDArray[np.float64]:
    return np.zeros((round(seconds * HZ), 12))


def wavy() -> NDArray[np.float64]:
    """Every lead another smooth signal within 0.6 mV, no second like another."""
    t = np.arange(round(10 * HZ)) / HZ
    waves = [np.sin(t * (1.1 + 0.17 * k)) * 0.35 + np.sin(t * (2.9 - 0.13 * k) + k) * 0.25 for k in range(12)]
    return np.stack(waves, axis=1)


def ink_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W): 0 on white paper to 1 on black ink."""
    ink: NDArray[np.float64] = 1 - pixels.mean(axis=-1) / 255
    return ink


def levels_of(page: Page, box: LeadBox) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Seconds of the recording and mV, read back from the ink of a box, the trace's ends left out."""
    columns = np.arange(round(box.left_px) + 3, round(box.left_px + box.width_px) - 3)
    top, bottom = round(box.top_px), round(box.top_px + box.height_px)
    ink = ink_of(page.pixels[top:bottom, columns])
    middle = (ink * np.arange(top, bottom)[:, None]).sum(axis=0) / ink.sum(axis=0)
    seconds = box.start_s + (columns - box.left_px) / page.px_per_s
    return seconds, (box.baseline_y_px - middle) / page.px_per_mv


@pytest.mark.parametrize(("speed", "gain", "scale"), [(25, 10, 5.0), (50, 20, 3.3), (25, 5, 7.7), (50, 10, 4.0)])
def test_one_millivolt_and_one_second_have_their_size(speed: float, gain: float, scale: float) -> None:
    signal = flat()
    signal[round(0.2 * HZ) : round(1.2 * HZ), 0] = 1.0
    look = replace(BARE, layout="12x1", speed_mm_per_s=speed, gain_mm_per_mv=gain, px_per_mm=scale, row_mm=30.0)
    page = draw_page(recording_of(signal), look)
    box = page.boxes[0]
    ink = ink_of(page.pixels)[: round(box.top_px + box.height_px)]
    rows = np.flatnonzero(ink[:, round(box.left_px + 0.7 * speed * scale)] > 0.5).mean()
    resting = np.flatnonzero(ink[:, round(box.left_px + 3 * speed * scale)] > 0.5).mean()
    assert resting - rows == pytest.approx(gain * scale, abs=1)
    edges = np.flatnonzero(ink[round((rows + resting) / 2)] > 0.3)
    rise, fall = (side.mean() for side in np.split(edges, np.flatnonzero(np.diff(edges) > 5) + 1))
    assert fall - rise == pytest.approx(speed * scale, abs=1)
    assert (page.px_per_s, page.px_per_mv) == pytest.approx((speed * scale, gain * scale))


@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 20), (25, 5)])
def test_the_calibration_pulse_is_1_mv_and_200_ms_on_every_row(speed: float, gain: float) -> None:
    look = replace(BARE, calibration_pulse=True, speed_mm_per_s=speed, gain_mm_per_mv=gain, px_per_mm=6.0, row_mm=45)
    page = draw_page(recording_of(flat()), replace(look, rhythm_leads=("V1",)))
    for top in [box.top_px for box in page.boxes if box.left_px == page.boxes[0].left_px]:
        rows = slice(round(top), round(top + look.row_mm * 6))
        ink = ink_of(page.pixels)[rows, : round(page.boxes[0].left_px) - 3]
        inked = np.flatnonzero((ink > 0.5).any(axis=1))
        assert inked[-1] - inked[0] + 1 == pytest.approx(gain * 6 + look.line_width_px, abs=1)
        half_way = np.flatnonzero(ink[(inked[0] + inked[-1]) // 2] > 0.3)
        assert half_way[-1] - half_way[0] + 1 == pytest.approx(0.2 * speed * 6 + look.line_width_px, abs=1.5)


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize(
    ("layout", "seconds", "second"), [("12x1", 10, None), ("6x2", 5, "V1"), ("4x3", 10 / 3, "aVL"), ("3x4", 2.5, "aVR")]
)
def test_every_box_shows_its_lead_and_its_window(
    layout: Layout, seconds: float, second: str | None, sequential: bool
) -> None:
    signal = wavy()
    look = replace(BARE, layout=layout, sequential=sequential, rhythm_leads=("V5",), row_mm=20.0, baseline_jitter_mm=2)
    page = draw_page(recording_of(signal), look)
    rows, columns = LAYOUTS[layout]
    assert [box.lead for box in page.boxes] == [*STANDARD_LEADS, "V5"]
    if second:  # the first lead of the second column
        assert page.boxes[rows].lead == second
    for index, box in enumerate(page.boxes[:12]):
        row, column = index % rows, index // rows
        assert box.seconds == pytest.approx(seconds)
        assert box.start_s == pytest.approx(column * seconds if sequential else 0)
        assert box.left_px == pytest.approx(page.boxes[0].left_px + column * seconds * page.px_per_s)
        assert box.top_px == pytest.approx(page.boxes[0].top_px + row * 20 * look.px_per_mm)
    assert (page.boxes[12].start_s, page.boxes[12].seconds) == (0, 10)
    for box in page.boxes:
        t, level_mv = levels_of(page, box)
        truth_mv = np.interp(t, np.arange(len(signal)) / HZ, signal[:, STANDARD_LEADS.index(box.lead)])
        assert np.abs(level_mv - truth_mv).max() < 0.01, box.lead


@pytest.mark.parametrize(("width_mm", "seconds"), [(250.0, 1.25), (500.0, 2.5)])
def test_at_50_mm_per_s_as_many_seconds_are_shown_as_fit(width_mm: float, seconds: float) -> None:
    page = draw_page(recording_of(wavy()), replace(BARE, speed_mm_per_s=50.0, trace_width_mm=width_mm))
    assert {box.seconds for box in page.boxes} == {seconds}
    assert page.boxes[3].start_s == seconds
    assert page.pixels.shape[1] == round((width_mm + 2 * BARE.margins_mm[0]) * BARE.px_per_mm)


def test_of_a_short_recording_only_what_there_is_is_shown() -> None:
    page = draw_page(recording_of(flat(6.0)), BARE)
    assert [(box.lead, box.seconds) for box in page.boxes[5:]] == [("aVF", 2.5), ("V1", 1), ("V2", 1), ("V3", 1)]
    end = page.boxes[-1].left_px + page.boxes[-1].width_px
    assert ink_of(page.pixels)[:, round(end) + 3 :].max() == 0


def test_a_gap_leaves_no_ink() -> None:
    signal = flat()
    signal[round(1 * HZ) : round(2 * HZ), 0] = np.nan
    signal[:, 1] = np.nan
    page = draw_page(recording_of(signal), BARE)
    first, second = page.boxes[:2]
    inked = ink_of(page.pixels)[round(first.top_px) : round(first.top_px + first.height_px)].max(axis=0) > 0
    across = page.px_per_s
    left = round(first.left_px)
    assert not inked[left + round(across) + 2 : left + round(2 * across) - 2].any()
    assert inked[left : left + round(across) - 2].all()
    assert inked[left + round(2 * across) + 2 : left + round(first.width_px)].all()
    rows = slice(round(second.top_px), round(second.top_px + second.height_px))
    assert ink_of(page.pixels)[rows, : round(second.left_px + second.width_px) - 3].max() == 0


def test_a_tall_wave_reaches_into_the_row_above() -> None:
    signal = flat()
    signal[round(1 * HZ) : round(1.1 * HZ), 1] = 2.0
    page = draw_page(recording_of(signal), replace(BARE, row_mm=15.0))
    upper = page.boxes[0]
    column = ink_of(page.pixels)[:, round(upper.left_px + 1.05 * page.px_per_s)]
    reached = page.boxes[1].baseline_y_px - 2 * page.px_per_mv
    assert upper.top_px < reached < upper.baseline_y_px
    assert column[round(reached)] > 0.5


def test_an_offset_moves_0_mv_and_not_the_trace() -> None:
    signal = flat()
    signal[:, 0] = 0.7
    box = draw_page(recording_of(signal), BARE).boxes[0]
    assert box.baseline_y_px - 0.7 * 50 == pytest.approx(box.top_px + box.height_px / 2)


@pytest.mark.parametrize("scale", [4.0, 6.3])
def test_grid_lines_are_1_and_5_mm_apart(scale: float) -> None:
    look = replace(BARE, grid="grey", grid_bleed=False, px_per_mm=scale, grid_line_mm=0.3)
    page = draw_page(recording_of(np.full_like(flat(), np.nan)), look)
    start, end = (round(at * scale) for at in (look.margins_mm[0], look.margins_mm[0] + 250))
    across = ink_of(page.pixels[round(40.5 * scale)])[start : end + 1]
    down = ink_of(page.pixels[:, start + round(2.5 * scale)])[round(look.margins_mm[1] * scale) :]
    for profile, length_mm in ((across, 250), (down, 75)):
        on_mm = np.array([profile[round(k * scale)] for k in range(length_mm)])
        between = np.array([profile[round((k + 0.5) * scale)] for k in range(length_mm)])
        coarse = np.arange(length_mm) % 5 == 0
        assert on_mm[coarse].min() > on_mm[~coarse].max() >= on_mm[~coarse].min() > between.max()


def test_a_page_is_a_function_of_recording_and_look() -> None:
    recording = recording_of(wavy())
    look = replace(DEFAULT_STYLE, baseline_jitter_mm=3.0)
    assert np.array_equal(render(recording, look), render(recording, look))
    assert not np.array_equal(render(recording, look), render(recording, replace(look, seed=1)))
    assert np.array_equal(render(recording), render(recording, DEFAULT_STYLE))


def test_random_looks_come_again_with_their_seed_and_vary() -> None:
    assert random_style(np.random.default_rng(5)) == random_style(np.random.default_rng(5))
    assert styles_for_record(3, count=2) == styles_for_record(3, count=2)
    assert styles_for_record(3, count=3)[:2] == styles_for_record(3, count=2)
    assert len({*styles_for_record(3, count=2), *styles_for_record(4), *styles_for_record(3, seed=1)}) == 4
    looks = [random_style(np.random.default_rng(seed)) for seed in range(300)]
    assert {look.layout for look in looks} == set(LAYOUTS)
    assert {look.grid for look in looks} == set(GRIDS)
    assert {look.gain_mm_per_mv for look in looks} == {5, 10, 20}
    assert {look.speed_mm_per_s for look in looks} == {25, 50}
    assert all(3 <= look.px_per_mm <= 8 and 15 <= look.row_mm <= 30 for look in looks)


@pytest.mark.parametrize("seed", range(8))
def test_every_random_look_can_be_drawn_with_its_boxes_on_the_page(seed: int) -> None:
    page = draw_page(recording_of(wavy()), random_style(np.random.default_rng(seed)))
    height, width, channels = page.pixels.shape
    assert (page.pixels.dtype.name, channels) == ("uint8", 3)
    for box in page.boxes:
        assert box.left_px >= 0
        assert box.left_px + box.width_px <= width
        assert 0 <= box.top_px < box.baseline_y_px < box.top_px + box.height_px <= height


@pytest.fixture(scope="module")
def page() -> NDArray[np.uint8]:
    return render(recording_of(wavy()), replace(DEFAULT_STYLE, px_per_mm=3.0))


def test_photos_are_pictures_and_come_again_with_their_seed(page: NDArray[np.uint8]) -> None:
    before = page.copy()
    shots = [photograph(page, np.random.default_rng(seed)) for seed in range(40)]
    for seed, shot in enumerate(shots):
        assert (shot.dtype.name, shot.ndim, shot.shape[2]) == ("uint8", 3, 3)
        assert 0.3 * min(page.shape[:2]) < min(shot.shape[:2]) < max(shot.shape[:2]) < 2.5 * max(page.shape[:2])
        assert np.array_equal(shot, photograph(page, np.random.default_rng(seed)))
    assert len({shot.tobytes() for shot in shots}) > 35
    assert np.array_equal(page, before)


def test_no_strength_changes_nothing(page: NDArray[np.uint8]) -> None:
    for seed in range(5):
        assert np.array_equal(photograph(page, np.random.default_rng(seed), strength=0.0), page)


def test_a_page_bent_by_nothing_stays_where_it_is(page: NDArray[np.uint8]) -> None:
    desk = np.zeros_like(page)
    still = _bent(page, np.eye(3), desk, np.zeros((1, 4)))[:-1, :-1]
    assert np.abs(still.astype(int) - page[:-1, :-1]).max() <= 16  # cv2.remap works on a 32nd of a pixel
    lifted = _bent(page, np.eye(3), desk, np.array([(0.0, 0.0, 5.0, 0.25)]))  # a constant: 2 px across, 5 px down
    assert np.abs(lifted[:-6, :-3].astype(int) - page[5:-1, 2:-1]).max() <= 16


def test_corruptions_are_fixed(page: NDArray[np.uint8]) -> None:
    assert list(CORRUPTIONS) == ["rotation_5", "rotation_10", "blur", "shadow", "jpeg_30", "perspective", "noise"]
    for name, corrupt in CORRUPTIONS.items():
        out = corrupt(page)
        assert out.dtype == np.uint8
        assert np.array_equal(out, corrupt(page))
        same_size = name in {"blur", "shadow", "jpeg_30", "noise"}
        assert (out.shape == page.shape) == same_size, name
        assert not np.array_equal(out, page)


@pytest.mark.parametrize("degrees", [5, 10])
def test_rotation_turns_by_its_angle_and_loses_nothing(degrees: int) -> None:
    plain = np.full((400, 900, 3), 255, np.uint8)
    plain[195:205] = 0
    turned = CORRUPTIONS[f"rotation_{degrees}"](plain)
    dark_y, dark_x = np.nonzero(turned.max(axis=2) < 40)
    assert np.polyfit(dark_x, dark_y, 1)[0] == pytest.approx(np.tan(np.deg2rad(degrees)), abs=0.002)
    assert (turned.min(axis=2) > 200).sum() == pytest.approx(390 * 900, rel=0.01)


def test_shadow_noise_and_blur_have_their_size() -> None:
    grey = np.full((300, 900, 3), 120, np.uint8)
    shaded = CORRUPTIONS["shadow"](grey)[..., 0]
    assert (shaded[:, 5].mean(), shaded[:, -5].mean()) == pytest.approx((120, 60), abs=1)
    noisy = CORRUPTIONS["noise"](grey)
    assert (noisy.mean(), noisy.std()) == pytest.approx((120, 12), rel=0.02)
    edge = np.repeat(np.where(np.arange(900) < 450, 0, 255)[None, :, None], 3, axis=2).astype(np.uint8)
    profile = CORRUPTIONS["blur"](np.repeat(edge, 300, axis=0))[150, :, 0] / 255
    one_sigma = np.interp([0.1587, 0.8413], profile, np.arange(900.0))
    assert (one_sigma[1] - one_sigma[0]) / 2 == pytest.approx(np.hypot(300, 900) / 1000, rel=0.1)


@pytest.mark.parametrize(("look", "photographed"), [(0, False), (3, False), (4, True)])
def test_a_page_for_training_is_what_the_service_makes_of_its_file(
    tmp_path: Path, look: int, photographed: bool
) -> None:
    task = image_task("heart")
    record = write_ptb_xl(tmp_path, records=1) / "records100" / "00000" / "00000_lr.hea"
    sample = Sample(record, "PTB-XL", "NORM", ("normal",), "0", "train", look=look, photographed=photographed)
    served = load_image(picture_bytes(sample), task.input).pixels
    np.testing.assert_array_equal(shown(sample, task.input), served)
