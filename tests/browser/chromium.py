"""The browser of this system, driven by Playwright; none is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
# a machine with two cores that does something else, too
TIMEOUT_MS = 20_000


def missing(what: str) -> None:
    """Skip a test that lacks something; where CI runs it nothing may be lacking."""
    reason = f"{what}; `make test-board` installs it"
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    A browser without a window.

    Its pages look the same everywhere: no hinting of this system's, and colours of sRGB.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed")
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        missing("there is no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            # its sandbox needs rights that containers don't give
            args=["--no-sandbox", "--font-render-hinting=none", "--force-color-profile=srgb"],
        )
        yield browser
        browser.close()


def axe_source() -> str:
    """The script of axe-core."""
    if not AXE.exists():
        missing("axe-core is not installed")
    return AXE.read_text(encoding="utf-8")
