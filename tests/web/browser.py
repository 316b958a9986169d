"""A real Chromium for tests and pictures: headless, driven by its own driver, reaching nothing but this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")
PATIENCE_SECONDS = 20.0
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip


def missing() -> str | None:
    """Why there is no browser here; None: there is one."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"needs {' and '.join(absent)} (Debian: chromium, chromium-driver)" if absent else None


class Browser:
    """One window. Whatever its console complains of is in `complaints`, with what the page's policy refused."""

    def __init__(self, chrome: Chrome, downloads: Path):
        self.chrome, self.downloads = chrome, downloads

    def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """Lay pages out for a window of this size in pixels, light or dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def scripts(self, *, allowed: bool) -> None:
        """Whether pages may run theirs; run() can in any case."""
        self.chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def go(self, url: str) -> None:
        self.chrome.get(url)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first that is there, waited for."""
        return self.until(lambda: next(iter(self.all(selector)), None), f"an element {selector}")

    def texts(self, selector: str) -> list[str]:
        return [one.text for one in self.all(selector)]

    def run(self, script: str, *arguments: object) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def until(self, ask: Callable[[], T | None], wanted: str) -> T:
        """What `ask` answers as soon as that is something."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(StaleElementReferenceException):  # the page was left while it was looked at
                answer = ask()
                if answer:
                    return answer
            assert time.monotonic() < end, f"{self.chrome.current_url} did not show {wanted}"
            time.sleep(0.05)

    def picture(self, file: Path) -> None:
        """What the window shows, as PNG."""
        file.parent.mkdir(parents=True, exist_ok=True)
        assert self.chrome.save_screenshot(str(file))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.chrome.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser that keeps its profile and its downloads in the folder, ended with the block."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Driver(shutil.which("chromedriver") or "chromedriver"))
    chrome.set_script_timeout(120)
    chrome.set_page_load_timeout(60)
    try:
        yield Browser(chrome, downloads)
    finally:
        chrome.quit()
