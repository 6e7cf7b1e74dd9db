"""The report's page in headless Chromium: on a phone and on a desk, light and dark, by keyboard, without network."""

import contextlib
import pathlib

import numpy as np
import pytest
from PIL import Image

from zoo import pretrained

SHIPPED = pathlib.Path(pretrained.__file__).parent
PAGES = [SHIPPED / name / "1" / "assets.extra" / "report.html" for name in ("digits/conditional", "ring/unrolled")]


@contextlib.contextmanager
def opened(browser, path, width, scheme="light"):
    """The page, with nothing reported on its console and nothing asked of the network."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    context.set_default_timeout(60_000)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert not wrong
    context.close()


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parts[-5])
def test_it_fits_and_shows_every_picture(browser, path, width):
    with opened(browser, path, width) as page:
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictures = page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
        assert pictures and all(pictures)
        # No number is cut: every cell shows all of its text.
        cut = (
            "[...document.querySelectorAll('td, .big')].filter(cell => cell.scrollWidth > cell.clientWidth + 1).length"
        )
        assert page.evaluate(cut) == 0


def test_every_failure_is_reached_by_keyboard(browser):
    path = PAGES[0]
    with opened(browser, path, 390) as page:
        links = page.evaluate("[...document.querySelectorAll('nav a')].map(link => link.hash)")
        reached = []
        for _ in range(len(links) + 1):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.hash"))
        assert reached == ["#samples", *links] and links
        page.keyboard.press("Enter")
        top = "document.querySelector(location.hash).getBoundingClientRect().top"
        page.wait_for_function(f"Math.abs({top}) < 400")
        assert page.evaluate("location.hash") == links[-1]


def test_points_are_dark_on_a_dark_page(browser, tmp_path):
    path = PAGES[1]
    brightness = []
    for scheme in ("light", "dark"):
        with opened(browser, path, 800, scheme) as page:
            shot = tmp_path / f"{scheme}.png"
            page.locator("figure.point img").screenshot(path=shot)
            brightness.append(mean_grey(shot))
    assert brightness[0] > 200 and brightness[1] < 80


def mean_grey(path):

    return np.asarray(Image.open(path).convert("L")).mean()
