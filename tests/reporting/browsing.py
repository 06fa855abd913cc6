"""A real browser without a window, and what a page does in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")

# For every text that is seen: its contrast with what is behind it (WCAG 2.2, 1.4.3), if that is too little.
CONTRAST = """() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const even = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * even(r / 255) + 0.7152 * even(g / 255) + 0.0722 * even(b / 255);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const own = rgb(getComputedStyle(node).backgroundColor);
      if (own[3] > 250) return own;
    }
    return rgb(getComputedStyle(document.body).backgroundColor);
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement, style = getComputedStyle(node);
    if (!walk.currentNode.data.trim() || !node.getClientRects().length || node.disabled) continue;
    const ink = node.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(rgb(ink)), light(behind(node))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  return found;
}"""

# Elements to be used that a screen reader has no name for.
NAMELESS = """() => {
  const named = (node) => {
    const ids = (node.getAttribute("aria-labelledby") || "").split(" ");
    const by = ids.map((id) => document.getElementById(id)?.textContent || "").join("");
    const label = node.closest("label")?.textContent;
    return (node.getAttribute("aria-label") || by || label || node.textContent || node.title || "").trim();
  };
  const used = document.querySelectorAll("a, button, select, canvas, audio, nav, [role=region], [role=img]");
  return [...used].filter((node) => !named(node)).map((node) => node.outerHTML.slice(0, 120));
}"""


def chromium() -> str:
    """Where the browser is; the test is skipped where there is none."""
    pytest.importorskip("playwright", reason="needs Playwright, of the extra dev")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed (apt-get install chromium)")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """The browser, with a user of its own."""
    where = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as user:
        context = playwright.chromium.launch_persistent_context(user, executable_path=where, args=list(FLAGS))
        yield context
        context.close()


class Seen:
    """A page that was opened, and whatever it complained of or asked the network for."""

    def __init__(self, context: Any, file: Path, *, width: int = 1280, scheme: str = "light") -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme)
        self.page.goto(file.as_uri())

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()

    def _asked(self, url: str) -> None:
        if not url.startswith(("data:", "file:", "blob:")):
            self.complaints.append(f"asked for {url}")

    @property
    def too_wide(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
