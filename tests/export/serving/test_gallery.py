"""The page in headless Chromium, against the embedded server."""

import base64
import contextlib
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export.generators import Generator


@contextlib.contextmanager
def opened(browser, embedded, model):
    """The page with the first nine seeds of a generator, on a phone: the narrowest that it must fit."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    context.set_default_timeout(60_000)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(embedded.url(f"/#model={model}&size=3"))
    page.wait_for_selector("#grid button:nth-child(9) img")
    yield page
    assert not errors
    context.close()


@pytest.fixture
def page(browser, embedded):
    with opened(browser, embedded, "generator") as page:
        yield page


@pytest.fixture
def labelled_page(browser, embedded):
    with opened(browser, embedded, "labelled") as page:
        yield page


@pytest.fixture(scope="module")
def local(models):
    return Generator.load(models / "generator")


@pytest.fixture(scope="module")
def labelled(models):
    """(the generator that is told labels, as `Generator`; its signatures)."""
    return Generator.load(models / "labelled"), tf.saved_model.load(models / "labelled" / "1").signatures


def pixels(page, selector):
    """Images uint8 [N, H, W, 1] of the elements' data: URLs."""
    sources = page.eval_on_selector_all(selector, "found => found.map(image => image.src)")
    pictures = [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("L") for source in sources]
    return np.stack(pictures)[..., None].astype(int)


def to_pixels(images):
    return np.clip(np.rint((images + 1) * 127.5), 0, 255)


def test_it_shows_the_exported_models_seeds(page, local):
    np.testing.assert_array_equal(pixels(page, "#grid img"), local.sample(range(9)))
    page.fill("#seed", "100")
    page.wait_for_selector("[aria-label='Sample of seed 100']")
    page.click("#on")
    page.wait_for_selector("[aria-label='Sample of seed 109']")
    np.testing.assert_array_equal(pixels(page, "#grid img"), local.sample(range(109, 118)))
    assert "Seeds 109 to 117" in page.inner_text("#grid-status")
    # The address brings the same view back.
    assert "seed=109" in page.url
    for element in ("documentElement", "querySelector('[role=tablist]')"):
        assert page.evaluate(f"(document.{element}.scrollWidth <= document.{element}.clientWidth)")


def test_truncation_scales_the_latents(page, local):
    from zoo.noise import Noise

    page.focus("#truncation")
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#grid-status:has-text('× 0.50')")
    expected = to_pixels(local.generate(0.5 * Noise.of_seeds(range(9)).normal("latents", [4]).numpy()))
    # JSON round-trips a float32; rounding to a pixel level may differ at a tie.
    assert np.abs(pixels(page, "#grid img") - expected).max() <= 1
    assert (expected != local.sample(range(9))).any()


def test_between_two_seeds_by_keyboard_and_by_touch(page, local):
    page.focus("#tab-samples")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#film img")
    ends = local.sample([0, 1]).astype(int)
    for key, end in (("Home", ends[0]), ("End", ends[1])):
        page.focus("#place")
        page.keyboard.press(key)
        assert np.abs(pixels(page, "#middle")[0] - end).max() <= 1
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute("#place", "aria-valuetext") == "97 % of the way from seed 0 to seed 1"
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=4)
    page.mouse.up()
    assert 10 < int(page.input_value("#place")) < 22
    middle = pixels(page, "#middle")[0]
    assert all((middle != end).any() for end in ends)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_sample_opens_and_becomes_an_end_of_the_path(page):
    page.focus("#grid button")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.inner_text("#dialog-title") == "Seed 4"
    page.click("#as-to")
    page.wait_for_selector("#film img")
    assert page.inner_text("#last-name") == "seed 4" and page.input_value("#to") == "4"


def test_the_papers(page):
    page.click("#tab-card")
    page.wait_for_selector("#card td")
    assert "8×8×1 images" in page.inner_text("#card table >> nth=0")
    page.click("#tab-report")
    page.wait_for_selector("#report p")
    assert "carries no report" in page.inner_text("#report")


@pytest.mark.parametrize(
    ("status", "told", "shown"),
    [
        (503, "queue is full", "The server is busy."),
        (404, "Servable not found for request", "not served in this version"),
        (500, "OOM", "The model failed"),
        (None, None, "The server does not answer."),
    ],
)
def test_errors_are_told_to_a_person_and_can_be_tried_again(page, status, told, shown):
    def answer(route):
        if status is None:
            return route.abort()
        return route.fulfill(status=status, body=json.dumps({"error": told}), content_type="application/json")

    page.route("**/*:predict", answer)
    page.click("#dice")
    page.wait_for_selector("#error:not([hidden])")
    assert shown in page.inner_text("#error")
    if told:
        page.click("#error summary")
        assert f"{status}: {told}" in page.inner_text("#error-told")
    page.unroute("**/*:predict")
    page.click("#retry")
    page.wait_for_selector("#error", state="hidden")
    page.wait_for_selector("#grid[aria-busy=false]")


def test_what_the_server_itself_refuses_and_what_is_no_generator(page, embedded):
    page.goto(embedded.url("/#model=generator&version=version:77"))
    page.reload()
    page.wait_for_selector("#error:not([hidden])")
    assert "“generator” is not served in this version" in page.inner_text("#error")
    page.select_option("#version", "version:1")
    page.wait_for_selector("#grid img")
    assert not page.is_visible("#error")
    page.select_option("#model", "half_plus_two")
    page.wait_for_selector("#empty:not([hidden])")
    assert "is no generator" in page.inner_text("#empty")


NAMES = ["shirt", "bag", "boot"]


def names_of(page):
    return page.eval_on_selector_all("#grid button", "found => found.map(one => one.getAttribute('aria-label'))")


def test_samples_tell_their_classes_and_can_be_of_one(labelled_page, labelled):
    page, (local, _) = labelled_page, labelled
    labels = local.labels(range(9))
    np.testing.assert_array_equal(pixels(page, "#grid img"), local.sample(range(9)))
    assert names_of(page) == [f"Sample of seed {seed}, class {NAMES[label]}" for seed, label in enumerate(labels)]
    assert page.inner_text("#grid button >> nth=0") == NAMES[labels[0]]
    options = page.eval_on_selector_all("#class option", "found => found.map(one => one.textContent)")
    assert options == ["any (the seed decides)", *NAMES] and "class=" not in page.url
    page.select_option("#class", "1")
    page.wait_for_selector("#grid-status:has-text('Seeds 0 to 8, class bag')")
    np.testing.assert_array_equal(pixels(page, "#grid img"), local.sample_with_labels(range(9), [1] * 9))
    assert names_of(page) == [f"Sample of seed {seed}, class bag" for seed in range(9)]
    page.click("#grid button >> nth=4")
    assert page.inner_text("#dialog-title") == "Seed 4, class bag"
    assert page.get_attribute("#download", "download") == "labelled_seed_4_class_1.png"
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    # The address brings the class back; what is no class of the model is any.
    assert "class=1" in page.url
    page.reload()
    page.wait_for_selector("#grid-status:has-text('class bag')")
    assert page.input_value("#class") == "1"
    for wrong in ("3", "01", "length"):
        page.goto(page.url.partition("#")[0] + f"#model=labelled&size=3&class={wrong}")
        page.reload()
        page.wait_for_selector("#grid img")
        assert page.input_value("#class") == "" and "class=" not in page.url


def test_truncation_leaves_each_seed_its_class(labelled_page, labelled):
    page, (local, signatures) = labelled_page, labelled
    page.goto(page.url.replace("truncation=1", "truncation=0.2"))
    page.reload()
    page.wait_for_selector("#grid-status:has-text('× 0.20')")
    labels, latents = local.labels(range(9)), signatures["latents"](seeds=tf.range(9, dtype=tf.int64))["latents"]
    expected = signatures["generate_with_labels"](latents=0.2 * latents, labels=tf.constant(labels))["images"].numpy()
    assert np.abs(pixels(page, "#grid img") - to_pixels(expected)).max() <= 1
    # Scaled latents by themselves would choose otherwise.
    assert np.abs(to_pixels(local.generate(0.2 * latents)) - to_pixels(expected)).max() > 1
    assert names_of(page)[0] == f"Sample of seed 0, class {NAMES[labels[0]]}"


def test_the_ends_of_a_path_keep_their_classes_or_all_of_it_has_one(labelled_page, labelled):
    page, (local, _) = labelled_page, labelled
    seeds = [0, next(seed for seed in range(1, 50) if local.labels([seed]) != local.labels([0]))]
    names = [NAMES[label] for label in local.labels(seeds)]
    (third,) = {0, 1, 2} - set(local.labels(seeds).tolist())
    page.goto(page.url.replace("view=samples", "view=between").replace("to=1", f"to={seeds[1]}"))
    page.reload()
    page.wait_for_selector("#film img")
    assert page.inner_text("#last-name") == f"seed {seeds[1]}, class {names[1]}"
    for place, end in (("0", 0), ("16", 0), ("17", 1), ("32", 1)):
        page.evaluate(f"moveTo({place})")
        assert page.get_attribute("#middle", "alt").endswith(f"to seed {seeds[1]}, class {names[end]}")
    assert np.abs(pixels(page, "#first, #last") - local.sample(seeds)).max() <= 1
    page.select_option("#between-class", str(third))
    page.wait_for_selector(f"#between-status:has-text('class {NAMES[third]}')")
    assert np.abs(pixels(page, "#first, #last") - local.sample_with_labels(seeds, [third] * 2)).max() <= 1
    assert page.input_value("#class") == str(third) and f"class={third}" in page.url


def test_a_model_without_a_card_shows_the_numbers_of_its_classes(labelled_page, labelled):
    page, label = labelled_page, labelled[0].labels([0])[0]
    page.route("**/model_card.json", lambda route: route.fulfill(status=404, body="{}"))
    page.reload()
    page.wait_for_selector(f"[aria-label='Sample of seed 0, class {label}']")
    assert not page.is_visible("#class")


def test_a_model_that_is_told_no_labels_has_no_classes(page):
    assert not page.is_visible("#class") and "class" not in page.url
    assert names_of(page)[0] == "Sample of seed 0" and page.locator("#grid span").count() == 0
    page.select_option("#model", "labelled")
    page.wait_for_selector("#class")
    page.select_option("#class", "2")
    page.wait_for_selector("#grid-status:has-text('class boot')")
    page.select_option("#model", "generator")
    page.wait_for_selector("[aria-label='Sample of seed 0']")
    assert not page.is_visible("#class") and "class" not in page.url
