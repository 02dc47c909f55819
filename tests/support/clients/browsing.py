"""The page as a person uses it, by Selenium; and a service whose answers a test can hold back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WITHIN_S = 180  # at most; a machine that trains at the same time needs a minute for the first recording
_DRAW = """
const [drawn, answer, task, source, module, done] = arguments;
import(`/static/${module}.js`).then((answers) => {
  document.getElementById("result").replaceChildren(...answers[drawn](answer, source, task).flat().filter(Boolean));
  done(null);
}).catch((error) => done(String(error)));
"""
# WCAG 2: contrast of an element's text with the ground that is behind it.
_CONTRAST = """
const light = (colour) => {
  const whole = colour.startsWith("color(srgb") ? 1 : 255;
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((level) => level / whole)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  const colour = getComputedStyle(node).backgroundColor;
  return /, 0\\)$/.test(colour) ? ground(node.parentElement) : colour;
};
return [...document.querySelectorAll("#result *")]
  .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
  .filter((node) => node.checkVisibility())
  .map((node) => {
    const [one, other] = [getComputedStyle(node).color, ground(node)].map(light);
    return [node.textContent, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
  });
"""


class Held:
    """A WSGI application in front of another. After `hold(path)` the next request to that path waits for `release`.

    url: where it is served.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.url = ""
        self._application = application
        self._path: str | None = None
        self._arrived, self._let_go, self._done = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != self._path:
            return self._application(environ, start_response)
        self._path = None
        self._arrived.set()
        assert self._let_go.wait(WITHIN_S)
        try:
            return list(self._application(environ, start_response))
        finally:
            self._done.set()

    def hold(self, path: str) -> None:
        """Begin to wait for a request to `path`."""
        for event in (self._arrived, self._let_go, self._done):
            event.clear()
        self._path = path

    def wait_for_it(self) -> None:
        """Until the request that is held has come."""
        assert self._arrived.wait(WITHIN_S)

    def release(self) -> None:
        """Let the request go on, and wait until it is answered."""
        self._path = None
        self._let_go.set()
        if self._arrived.is_set():
            assert self._done.wait(WITHIN_S)


class Page:
    """What a person does and sees."""

    def __init__(self, driver: Chrome, served: Held) -> None:
        self.driver = driver
        self.served = served
        self.wait_for("#form form")

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait_for(self, selector: str, text: str = "") -> None:
        """Until an element that is to be seen says `text`."""
        self.wait_until(
            lambda: any(e.is_displayed() and text in e.text for e in self.all(selector)), f"{selector}: {text}"
        )

    def wait_until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Until something is so, whatever is replaced meanwhile."""
        replaced = [StaleElementReferenceException]
        WebDriverWait(self.driver, WITHIN_S, ignored_exceptions=replaced).until(lambda _: holds(), what)

    def choose_task(self, task: str, form: str = "#image") -> None:
        self.find(f'[data-task="{task}"]').click()
        WebDriverWait(self.driver, WITHIN_S).until(lambda _: self.all(f"#form {form}"))

    def choose_file(self, *paths: Path) -> None:
        self.find("#image").send_keys("\n".join(map(str, paths)))

    def send(self) -> None:
        self.find("#form button.primary").click()

    @property
    def result(self) -> str:
        return str(self.find("#result").text)

    def get_json(self, path: str) -> Any:
        """What the service says at `path`."""
        return self.driver.execute_async_script("fetch(arguments[0]).then((r) => r.json()).then(arguments[1])", path)

    def draw(
        self,
        function: str,
        answer: dict[str, Any],
        task: dict[str, Any] | None = None,
        source: Any = None,
        module: str = "answers",
    ) -> None:
        """Show an answer that was not asked for, by a function of a module of the page."""
        assert self.driver.execute_async_script(_DRAW, function, answer, task, source, module) is None

    def contrasts(self) -> list[tuple[str, float]]:
        """Every text of the answer that is to be seen, with its contrast to 1."""
        return [(text, contrast) for text, contrast in self.driver.execute_script(_CONTRAST)]

    def as_wide_as(self, width_px: int) -> None:
        """Have the page on a phone of that width."""
        size = {"width": width_px, "height": 1400, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """`light` or `dark`."""
        wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)

    def cells(self, rows: str) -> list[list[str]]:
        """The text of every cell of the rows that a selector finds."""
        return [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in self.all(rows)]

    def settle(self) -> None:
        """Until everything that has reached the browser was acted on."""
        self.driver.execute_async_script("const done = arguments[0]; fetch('/livez').then(() => setTimeout(done, 200))")

    def aborted_requests(self) -> int:
        """Requests that the page itself ended, since the log was last read."""
        return sum(m["method"] == "Network.loadingFailed" and m["params"].get("canceled", False) for m in self._log())

    def posted(self) -> list[Any]:
        """What was sent as JSON, since the log was last read."""
        requests = [m["params"]["request"] for m in self._log() if m["method"] == "Network.requestWillBeSent"]
        return [json.loads(request["postData"]) for request in requests if request["method"] == "POST"]

    def _log(self) -> list[dict[str, Any]]:
        return [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
