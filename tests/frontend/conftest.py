"""The page in Chromium, before an application whose answers a test can hold back."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest
from clients.browsing import Held, Page
from selenium import webdriver
from werkzeug.serving import make_server

from backend.app import Application


@pytest.fixture(scope="session")
def served(live_app: Application) -> Iterator[Held]:
    """`live_app` on a port of its own."""
    held = Held(live_app)
    server = make_server("127.0.0.1", 0, held, threaded=True)
    held.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """Headless, with the browser and the driver of this machine: nothing is fetched."""
    options = webdriver.ChromeOptions()
    # No sandbox: it cannot be set up by root or in a container, and only our own page is shown.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.binary_location = shutil.which("chromium") or ""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SE_OFFLINE", "true")
        driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: webdriver.Chrome, served: Held) -> Iterator[Page]:
    """The page, opened anew; a test ends without an error in the browser's console but refused requests."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get(served.url)
    yield Page(chromium, served)
    served.release()
    errors = [line for line in chromium.get_log("browser") if line["source"] != "network"]
    assert errors == []
