"""The viewer: an account's upload, frame by frame and through any window, as the service draws it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients.browsing import Held, Page
from dicom_files import dataset, write
from records.people import PASSWORD, person
from selenium import webdriver

from backend.app import Application

_LEVELS = """
const [done] = arguments;
const shown = document.querySelector("img.viewed");
shown.decode().then(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [shown.naturalWidth, shown.naturalHeight];
  const drawn = canvas.getContext("2d");
  drawn.drawImage(shown, 0, 0);
  done([...new Set(drawn.getImageData(0, 0, canvas.width, canvas.height).data.filter((_, n) => n % 4 === 0))]);
});
"""


_CHOOSE = """
document.querySelector("#result > *").dataset.before = "";
[arguments[0].value] = [arguments[1]];
arguments[0].dispatchEvent(new Event("change"));
"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT of three frames, each brighter than the one before."""
    frames = np.stack([np.full((64, 80), level, np.int16) for level in (-500, 40, 90)])
    made = dataset(frames[0], Modality="CT", NumberOfFrames=3, RescaleSlope=1, RescaleIntercept=0)
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.PixelData = frames.tobytes()
    path = tmp_path_factory.mktemp("scan") / "scan.dcm"
    path.write_bytes(write(made))
    return path


@pytest.fixture
def viewer(chromium: webdriver.Chrome, served: Held, live_app: Application) -> Page:
    """Opened and logged in."""
    ada = person(live_app)
    chromium.delete_all_cookies()
    chromium.get(f"{served.url}viewer")
    page = Page(chromium, served)
    page.find("#username").send_keys(ada.username)
    page.find("#password").send_keys(PASSWORD)
    page.send()
    page.wait_for("#form label", "it is kept in your account")
    return page


def level(page: Page) -> int:
    """Of the picture that is shown, which is flat."""
    (one,) = page.driver.execute_async_script(_LEVELS)
    return int(one)


def choose(page: Page, selector: str, value: Any) -> None:
    """And wait for what is shown then."""
    page.driver.execute_script(_CHOOSE, page.find(selector), value)
    page.wait_until(lambda: bool(page.all("#result > :not([data-before])")))


def test_every_frame_is_seen_through_any_window(viewer: Page, scan: Path) -> None:
    viewer.find("#file").send_keys(str(scan))
    viewer.send()
    viewer.wait_for("output", "2 of 3")
    viewer.wait_until(lambda: bool(viewer.all("img.viewed")))
    choose(viewer, "#window", "brain")  # 40, 80: from 0 to 80 Hounsfield units
    assert level(viewer) == pytest.approx(128, abs=2)
    choose(viewer, "#frame", 3)
    assert level(viewer) == 255
    assert viewer.find("img.viewed").get_attribute("alt") == "Frame 3 of 3"
    choose(viewer, "#frame", 1)
    assert level(viewer) == 0
    choose(viewer, "#window", "lung")
    assert level(viewer) == pytest.approx(255 * (-500 + 1350) / 1500, abs=3)


def test_what_is_wrong_is_said(viewer: Page, scan: Path, tmp_path: Path) -> None:
    viewer.find("#file").send_keys(str(scan))
    viewer.send()
    viewer.wait_until(lambda: bool(viewer.all("img.viewed")))
    viewer.driver.execute_script("arguments[0].value = 'own'", viewer.find("#window"))
    choose(viewer, "#own", "40")
    assert "window" in viewer.find("#result .error").text
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    viewer.find("#file").send_keys(str(text))
    viewer.send()
    viewer.wait_for("#result .error", "unsupported_format")


def test_a_wrong_password_opens_nothing(chromium: webdriver.Chrome, served: Held) -> None:
    chromium.delete_all_cookies()
    chromium.get(f"{served.url}viewer")
    page = Page(chromium, served)
    page.find("#username").send_keys("nobody")
    page.find("#password").send_keys("not this one")
    page.send()
    page.wait_for("#result .error", "")
    assert page.all("#file") == []
