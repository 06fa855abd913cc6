"""The page in a real browser: whole, quiet, at every width, in both schemes, without a mouse and without sight."""

from itertools import pairwise

import pytest

from tests.reporting.browsing import CONTRAST, NAMELESS, Seen
from tests.reporting.conftest import HOSTILE, HOSTILE_FILE, SECTIONS


@pytest.fixture
def seen(chrome, written):
    """The report, opened at a desk."""
    with Seen(chrome, written) as found:
        yield found
    assert not found.complaints


def test_everything_is_there_and_nothing_is_asked_of_the_network(seen):
    """Each section has its heading and its line in the contents; no script fails, no request leaves the page."""
    page = seen.page
    assert page.locator("main section").evaluate_all("all => all.map((one) => one.id)") == SECTIONS
    assert all(page.locator(f"#{name} h2").count() == 1 for name in SECTIONS)
    links = page.get_by_role("navigation", name="Contents").get_by_role("link")
    assert links.evaluate_all("all => all.map((one) => one.hash)") == [f"#{name}" for name in SECTIONS]
    assert page.get_by_role("heading", level=1).text_content() == "data"
    assert page.locator(".big").text_content().startswith("9")


def test_names_of_classes_and_files_are_only_ever_text(seen):
    """Labels and file names that are markup are shown as written, and run nowhere."""
    page = seen.page
    assert page.get_by_role("columnheader", name=HOSTILE).count() == 1
    page.locator("#all").get_by_label("Labelled").select_option(HOSTILE)
    page.get_by_role("button", name=f"{HOSTILE}/{HOSTILE_FILE}", exact=True).click()
    assert page.get_by_role("dialog").get_by_role("heading").text_content().endswith(HOSTILE_FILE)
    assert page.locator("[onerror], [onload]").count() == 0


def test_a_policy_forbids_whatever_is_not_the_page_itself(seen):
    """The content security policy lets no foreign script run and no address be fetched."""
    page = seen.page
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = 1' }))")
    assert page.evaluate("window.ran") is None
    assert "Content Security Policy" in seen.complaints.pop()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_every_width(chrome, written, width):
    """Nothing makes the page itself scroll sideways; wide tables scroll in places of their own."""
    with Seen(chrome, written, width=width) as found:
        assert found.too_wide <= 0
        found.page.locator("button[data-cell]:not([disabled])").first.click()
        assert found.too_wide <= 0
        assert not found.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_both_schemes(chrome, written, scheme):
    """Every text has the contrast that WCAG asks for (AA), in the scheme that the reader prefers and the other."""
    with Seen(chrome, written, scheme=scheme) as found:
        found.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert found.page.evaluate(CONTRAST) == []
        before = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        found.page.get_by_role("button", name="Light or dark").click()
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        assert found.page.evaluate(CONTRAST) == []


def test_cells_open_their_items_by_keyboard(seen):
    """Enter on a cell opens its items, one of them opens alone, arrows go on, Escape leads back to the cell."""
    page = seen.page
    cell = page.get_by_role("button", name="green called red & <b>dead<|b>: 3")
    cell.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading").text_content() == "green called red & <b>dead<|b>: 3"
    cards = dialog.get_by_role("listitem").get_by_role("button")
    assert cards.count() == 3
    cards.first.focus()
    page.keyboard.press("Enter")
    first = dialog.get_by_role("heading").text_content()
    assert dialog.get_by_role("meter").count() == 3
    page.keyboard.press("ArrowRight")
    assert dialog.get_by_role("heading").text_content() != first
    dialog.get_by_role("button", name="← All of them").click()
    assert cards.count() == 3
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert cell.evaluate("one => document.activeElement === one")


def test_the_map_is_walked_by_keyboard(seen):
    """The map takes the focus, arrows go from item to item and say which, plus zooms, Enter opens the item."""
    page = seen.page
    page.get_by_role("application", name="Map of 48 items").focus()
    page.keyboard.press("ArrowRight")
    said = page.locator("[data-said]")
    one = said.text_content()
    assert ".png: " in one
    page.keyboard.press("ArrowDown")
    page.keyboard.press("+")
    assert said.text_content() != one
    assert page.locator(".tip").is_visible()
    name = said.text_content().partition(": ")[0]
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").get_by_role("heading").text_content() == name


def test_the_map_shows_items_to_the_mouse_and_classes_to_the_legend(seen):
    """Pointing at an item shows it; a press on a class of the legend leaves that one alone."""
    page = seen.page
    page.locator("canvas").scroll_into_view_if_needed()
    page.locator("canvas").focus()
    tip = page.locator(".tip")
    box = tip.bounding_box()  # beside the item that the focus went to
    page.locator("canvas").blur()
    assert not tip.is_visible()
    for x in (box["x"] - 14, box["x"] + box["width"] + 14):
        for y in (box["y"] - 14, box["y"] + box["height"] + 14):
            if not tip.is_visible():
                page.mouse.move(x, y)
    assert tip.locator("img").count() == 1
    legend = page.get_by_role("list", name="Classes").get_by_role("button", name="green")
    legend.click()
    assert legend.get_attribute("aria-pressed") == "true"


def test_all_items_can_be_listed(seen):
    """The table filters by label and outcome, sorts, and turns its pages: what the map shows, without seeing it."""
    page = seen.page
    section = page.locator("#all")
    assert section.get_by_role("status").text_content() == "1 to 25 of 48"
    section.get_by_role("button", name="Next →").click()
    assert section.get_by_role("status").text_content() == "26 to 48 of 48"
    section.get_by_label("Outcome").select_option("wrong")
    assert section.get_by_role("status").text_content() == "1 to 3 of 3"
    assert section.locator("tbody tr").count() == 3


def test_everything_that_is_used_has_a_name(seen):
    """Buttons, links, choices, the map and the plots say to a screen reader what they are; headings skip no level."""
    page = seen.page
    assert page.evaluate(NAMELESS) == []
    assert page.get_by_role("img", name="Reliability diagram").count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.get_by_role("link", name="Skip to the report").focus()
    assert page.evaluate("document.documentElement.lang") == "en"
