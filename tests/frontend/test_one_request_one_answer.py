"""An answer never stands under another task than it is of, or beside another picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clients.browsing import Page
from ecg_files import csv_file, heart

EMPTY = "Nothing has been sent yet."


@pytest.fixture
def photos(picture: Callable[..., bytes], tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "first.jpg", tmp_path / "second.jpg"
    for seed, path in enumerate(paths):
        path.write_bytes(picture(seed=seed))
    return paths


def choose_another_task(page: Page, _other: Path) -> None:
    page.choose_task("xray")


def choose_another_file(page: Page, other: Path) -> None:
    page.choose_file(other)


@pytest.mark.parametrize("act", [choose_another_task, choose_another_file])
def test_another_choice_ends_the_request_under_way(
    page: Page, photos: tuple[Path, Path], act: Callable[[Page, Path], None]
) -> None:
    page.choose_task("skin")
    page.choose_file(photos[0])
    page.served.hold("/analyze/skin")
    page.send()
    page.served.wait_for_it()
    assert page.result == "Working…"
    page.aborted_requests()
    act(page, photos[1])
    assert page.result == EMPTY
    page.served.release()
    page.settle()
    assert page.result == EMPTY
    assert page.aborted_requests() == 1


@pytest.mark.parametrize("act", [choose_another_task, choose_another_file])
def test_another_choice_takes_the_answer_away(
    page: Page, photos: tuple[Path, Path], act: Callable[[Page, Path], None]
) -> None:
    page.choose_task("skin")
    page.choose_file(photos[0])
    page.send()
    page.wait_for("#result h3", "All classes")
    act(page, photos[1])
    assert page.result == EMPTY


def test_of_two_requests_the_later_is_answered(page: Page) -> None:
    page.choose_task("heart-risk", "#field-age")
    page.find("#field-sex option[value='0']").click()
    page.find("#field-age").send_keys("54")
    page.served.hold("/predict-heart")
    page.send()
    page.served.wait_for_it()
    page.find("#field-age").clear()
    page.find("#field-age").send_keys("61")
    page.send()
    page.wait_for("#result td", "61 years")
    page.served.release()
    page.settle()
    assert "61 years" in page.result
    assert "54 years" not in page.result


def test_a_form_that_comes_late_does_not_stand_under_another_task(page: Page) -> None:
    page.served.hold("/symptoms")
    page.find('[data-task="disease"]').click()
    page.served.wait_for_it()
    assert page.all("#form form") == []
    page.choose_task("skin")
    page.served.release()
    page.settle()
    assert [len(page.all(selector)) for selector in ("#image", "#symptom")] == [1, 0]


def test_the_sampling_rate_is_asked_for_where_a_recording_lacks_it(page: Page, tmp_path: Path) -> None:
    [(name, untimed)] = csv_file(heart(100), rate_hz=None)
    (path := tmp_path / name).write_bytes(untimed)
    page.choose_task("heart")
    page.choose_file(path)
    assert not page.find("#sampling_rate_hz").is_displayed()
    page.send()
    page.wait_for("#result .error", "sampling_rate_hz")
    page.wait_for("label[for=sampling_rate_hz]", "Sampling rate of this recording in Hz")
    assert page.driver.switch_to.active_element.get_attribute("id") == "sampling_rate_hz"
    page.driver.switch_to.active_element.send_keys("100")
    page.send()
    page.wait_for("#result dl", "100 Hz")
    assert "Heart rate" in page.result
    [(name, timed)] = csv_file(heart(100), 100)
    (path := tmp_path / f"timed-{name}").write_bytes(timed)
    page.choose_file(path)
    assert not page.find("#sampling_rate_hz").is_displayed()
    assert page.find("#sampling_rate_hz").get_attribute("value") == ""
