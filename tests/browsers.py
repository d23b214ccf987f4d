"""Chromium, as all tests open it that look at a page in a real browser."""

import contextlib
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
--disable-background-networking --disable-component-update --disable-dev-shm-usage""".split()


def need_browser():
    """Skip a test, with the reason, where there is no browser to drive."""
    pytest.importorskip("selenium", reason='Selenium is missing: pip install -e ".[test]"')
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium or its chromedriver is missing: make tools")


@contextlib.contextmanager
def chromium(home, size="1280,900", *flags):
    """Open a browser with a profile of its own in ``home``; its console is kept."""
    need_browser()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS, f"--window-size={size}", f"--user-data-dir={home}", *flags]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()
