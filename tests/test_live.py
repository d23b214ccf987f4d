"""The live figures of the book: three networks that read, and one that learns, in a browser."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from browsers import chromium, need_browser

pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')

from conftest import REAL

from mnist_edu import data, ink, synthetic
from mnist_edu.errors import WentWrong
from mnist_edu.pads.answer import INVITATION, PEN, SIDE, Answer, percent

ROOT = Path(__file__).parents[1]
LIVE = ROOT / "book" / "_static" / "live"
PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Live figures</title>
<style>body {{ margin: 16px }}
[data-theme=dark] {{ --color-foreground-primary: #ced6dd; --color-background-primary: #131416 }}
[data-theme=dark] body {{ background: #131416; color: #ced6dd }}</style>{styles}
<main><h1>Live figures</h1><div class="live-pad"></div><div class="watch-it-learn"></div>
<p id="below">Below</p></main>{scripts}"""

spec = importlib.util.spec_from_file_location("export", ROOT / "book" / "export.py")
export = importlib.util.module_from_spec(spec)
spec.loader.exec_module(export)


@pytest.fixture(scope="module")
def networks():
    return export.read_weights()


def test_three_networks_are_kept_in_little_space_and_lose_nothing_by_it(networks):
    assert (LIVE / "weights.js").stat().st_size < 1_100_000
    assert [network["numbers"] for network in networks] == [7850, 134_794, 242_062]
    for network in networks:
        assert network["trained"] == "MNIST" and network["accuracy"] > 0.9
        assert abs(network["accuracy"] - network["keras"]) <= 0.001, network["name"]


def test_pad_of_notebooks_becomes_a_plain_script():
    module = (Path(ink.__file__).parent / "pads" / "pad.js").read_text("utf-8")
    script = export.as_script(module)
    assert "export " not in script and "{ render }" in script and "function render" in script
    for wrong in (module + module, 'import x from "y";\n' + module, "const a = 1;\n"):
        with pytest.raises(WentWrong, match="export once"):
            export.as_script(wrong)


def test_wrong_word_says_which_are_right(capsys):
    assert export.main(["wheights"]) == 2
    assert "weights, or page" in capsys.readouterr().err


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Give a browser with a page that was opened from a folder."""
    need_browser()
    folder = tmp_path_factory.mktemp("live")
    for path in LIVE.glob("*.*"):
        shutil.copy(path, folder)
    export.write_page(folder)
    styles = [f'<link rel="stylesheet" href="{p.name}">' for p in sorted(folder.glob("*.css"))]
    scripts = [f'<script defer src="{p.name}"></script>' for p in sorted(folder.glob("*.js"))]
    text = PAGE.format(styles="\n".join(styles), scripts="\n".join(scripts))
    (folder / "page.html").write_text(text, "utf-8")
    with chromium(folder / "browser", "1280,1500") as driver:
        driver.set_script_timeout(120)
        driver.address = (folder / "page.html").as_uri()
        yield driver


@pytest.fixture
def page(browser):
    """Give the browser with the page as it is when it opens, and see that nothing failed in it."""
    show(browser)
    yield browser
    log = browser.get_log("browser")
    assert [entry["message"] for entry in log if entry["level"] == "SEVERE"] == []


def show(browser, width=1280, theme="light", motion="no-preference"):
    metrics = {"width": width, "height": 1500, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = [{"name": "prefers-reduced-motion", "value": motion}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.get(browser.address)
    browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)


def find(page, name):
    return page.find_element("css selector", name)


def sentence(page, of=".live-pad"):
    return find(page, f"{of} .mnist-pad-sentence").text


def until(page, true):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(page, 30, poll_frequency=0.05).until(lambda _: true())


def write(page, strokes, kind="mouse"):
    """Draw with a pointer of this kind: mouse, touch or pen."""
    from selenium.webdriver.common.action_chains import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    box = page.execute_script(
        "const area = document.querySelector('.mnist-pad svg'); area.scrollIntoView();"
        "const box = area.getBoundingClientRect(); return [box.left, box.top, box.width]"
    )
    for stroke in strokes:
        places = np.round(np.array(box[:2]) + box[2] / SIDE * np.asarray(stroke)).astype(int)
        action = ActionBuilder(page, mouse=PointerInput(kind, kind), duration=0)
        action.pointer_action.move_to_location(*places[0].tolist()).pointer_down()
        for place in places[1:].tolist():
            action.pointer_action.move_to_location(*place)
        action.pointer_action.pointer_up()
        action.perform()


def image(page):
    pixels = page.execute_script(
        "return [...document.querySelector('.live-pad canvas').getContext('2d')"
        ".getImageData(0, 0, 28, 28).data].filter((_, place) => place % 4 === 0)"
    )
    return np.array(pixels, np.uint8).reshape(28, 28)


def digits_read(page):
    return [
        digit.text for digit in page.find_elements("css selector", ".live-pad .mnist-pad-digit")
    ]


def keras_model(network):
    """Build a network of the page in Keras, with the same rounded weights."""
    import base64

    import keras
    from keras import layers

    make = {"relu": layers.ReLU, "pool": layers.MaxPool2D}
    make["dense"] = lambda inputs, outputs: layers.Dense(outputs)
    make["convolve"] = lambda h, w, maps, filters: layers.Conv2D(filters, (h, w), padding="same")
    kinds = [kind for kind, *_ in network["layers"]]
    stack = [make[kind](*shape) for kind, *shape in network["layers"]]
    if "convolve" in kinds:
        stack.insert(kinds.index("dense"), layers.Flatten())
    shape = (28, 28, 1) if "convolve" in kinds else (784,)
    model = keras.Sequential([keras.Input(shape), *stack])
    values = np.frombuffer(base64.b64decode(network["weights"]), "<f2").astype(np.float32)
    sizes = np.cumsum([weight.size for weight in model.get_weights()])
    parts = zip(np.split(values, sizes[:-1]), model.get_weights(), strict=True)
    model.set_weights([part.reshape(old.shape) for part, old in parts])
    return model


@pytest.mark.browser
@pytest.mark.slow
def test_forward_pass_gives_the_logits_of_keras(page, networks, monkeypatch):
    """On 1,000 test digits: of MNIST, or embedded digits where MNIST is not at hand."""
    pytest.importorskip("keras", reason='Keras is missing: pip install -e ".[lessons]"')
    images = synthetic.make_digits(1000, seed=5)[0]
    if REAL:
        monkeypatch.setenv("MNIST_EDU_DATA", REAL)
        images = data.load("mnist").test.images[:1000]
    ask = """const [images, place] = arguments, network = mnistLive.networks[place];
        const all = Uint8Array.from(atob(images), (letter) => letter.charCodeAt(0));
        return Array.from({ length: all.length / 784 }, (_, n) =>
            [...mnistLive.logits(network, all.subarray(784 * n, 784 * n + 784))])"""
    text = export.base64.b64encode(images.tobytes()).decode()
    for place, network in enumerate(networks):
        found = np.array(page.execute_script(ask, text, place))
        model = keras_model(network)
        right = model.predict(data.scale(images).reshape(-1, *model.input_shape[1:]), verbose=0)
        assert found.shape == (1000, 10) and np.abs(found - right).max() < 1e-3, network["name"]


@pytest.mark.browser
def test_strokes_become_the_image_that_python_makes_of_them(page):
    """On 600 drawings (12 hands, 5 pens): the mean difference of a pixel is 0.1 of 255, 5 images
    have a pixel more than 40 apart, 3 of them moved by a pixel, and 2 of 1,800 answers differ."""
    hands = [synthetic.example_strokes(digit, 7) for digit in range(10)]
    cases = [([s.tolist() for s in hand], pen) for hand in hands for pen in (6, PEN, 33)]
    cases.append(([[[20, 30]]], 12))  # a dot
    cases.append(([[[5, 5], [270, 275]], [[250, 20], [260, 25]]], PEN))  # and a smudge beside
    cases.append(([[[60, 60], [200, 60]], [[3, 277]]], 10))  # a speck far away
    right = [ink.to_mnist(ink.draw_strokes(strokes, SIDE, pen)).ravel() for strokes, pen in cases]
    made, *read = page.execute_script(
        """const [cases, side, theirs] = arguments;
        const mine = cases.map(([strokes, pen]) => [...mnistLive.toMnist(strokes, side, pen)]);
        const read = (image) => mnistLive.networks.map((network) => {
            const scores = mnistLive.logits(network, image);
            return scores.indexOf(Math.max(...scores));
        });
        return [mine, mine.map(read), theirs.map(read)]""",
        cases,
        SIDE,
        [image.tolist() for image in right],
    )
    apart = np.abs(np.array(made) - np.array(right, int))
    assert apart.mean() < 0.5 and np.sum(apart.max(1) > 40) <= 1, apart.max(1)
    assert np.mean(np.array(read[0]) == read[1]) >= 0.98


@pytest.mark.browser
@pytest.mark.parametrize(
    "strokes, told",
    [
        ([], INVITATION),
        ([[[0, y], [280, y]] for y in range(0, 281, 10)], "Nothing to read: almost everything"),
    ],
)
def test_nothing_to_read_says_so(page, strokes, told):
    said = page.execute_script(
        "return mnistLive.answerTo({ strokes: arguments[0], pen: 40 })", strokes
    )
    assert said["sentence"].startswith(told) and said["image"] == []
    assert {reading["digit"] for reading in said["readings"]} == {""}


@pytest.mark.browser
def test_sureness_and_percents_are_those_of_the_pad_in_notebooks(page):
    generator = np.random.default_rng(1)
    rows = [*generator.dirichlet(np.full(10, 0.2), 50), np.eye(10)[3]]
    rows += [np.array([p, 1 - p, *[0] * 8]) for p in (0.8, 0.7999, 0.996, 0.994, 0.5)]
    asked = [row.tolist() for row in rows]
    for row, found in zip(
        rows, page.execute_script("return arguments[0].map(mnistLive.reading)", asked), strict=True
    ):
        answer = Answer(probabilities=row)
        assert (found["best"], found["digit"]) == (answer.best, answer.short)
        assert found["percents"] == [percent(value) for value in row]
        inside = answer.sentence.removeprefix("The network ").removeprefix("reads ").rstrip(".")
        assert found["told"] == inside.replace("is not sure: ", "not sure, ").replace(
            "), or", ") or"
        )


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_drawn_digit_is_read_by_three_networks(page, kind):
    assert sentence(page) == INVITATION and digits_read(page) == ["", "", ""]
    write(page, [[(90, 60), (190, 60), (120, 230)], [(100, 150), (170, 150)]], kind)
    until(page, lambda: sentence(page) == "All three networks read 7.")
    assert digits_read(page) == ["7", "7", "7"]
    best = page.find_elements("css selector", ".live-pad li.best")
    assert len(best) == 3 and all(row.text.startswith("7") and "%" in row.text for row in best)
    find(page, ".mnist-pad-undo").click()
    find(page, ".mnist-pad-undo").click()
    until(page, lambda: sentence(page) == INVITATION)
    assert digits_read(page) == ["", "", ""] and image(page).max() == 0


@pytest.mark.browser
def test_slider_moves_the_digit_as_the_shift_ruler_does(page):
    from selenium.webdriver.common.keys import Keys

    find(page, ".mnist-pad-area").send_keys("3")
    until(page, lambda: digits_read(page)[2] == "3")
    still = image(page)
    far = find(page, ".live-far")
    for distance in (1, 2, 3, 4):
        far.send_keys(Keys.ARROW_RIGHT)
        until(page, lambda d=distance: find(page, ".live-told").text.startswith(f"by {d} pixel"))
        assert (image(page) == data.shift(still[None], distance, distance)[0]).all()
    find(page, ".live-ways select").send_keys("left and up")
    until(page, lambda: (image(page) == data.shift(still[None], -4, -4)[0]).all())
    assert "disagree" in sentence(page) or "not sure" in sentence(page)
    each = "mnistLive.networks.map((n) => mnistLive.softmax(mnistLive.logits(n, arguments[0])))"
    right = np.array(page.execute_script(f"return {each}", image(page).ravel().tolist()))
    bars = page.find_elements("css selector", ".live-pad .mnist-pad-track > span")
    shown = [float(bar.get_attribute("style").split("width: ")[1].split("%")[0]) for bar in bars]
    assert np.abs(np.reshape(shown, (3, 10)) - 100 * right).max() < 0.01
    assert np.abs(right - right[0]).max() > 0.1  # three networks, three answers


@pytest.mark.browser
def test_examples_are_of_several_hands_and_one_key_away(page):
    area, blank, hands = find(page, ".mnist-pad-area"), image(page).tobytes(), []
    for _ in range(export.HANDS):
        area.send_keys("4")
        until(page, lambda: image(page).tobytes() not in [blank, *hands])
        hands.append(image(page).tobytes())
    area.send_keys("4")
    until(page, lambda: image(page).tobytes() == hands[0])


@pytest.mark.browser
def test_drawing_is_possible_before_the_networks_have_come(page):
    answer = """const kept = mnistLive.networks; delete mnistLive.networks;
        const said = mnistLive.answerTo({ strokes: mnistLive.about.examples[2][0], pen: 20 });
        mnistLive.networks = kept; return said"""
    said = page.execute_script(answer)
    assert "still loading" in said["sentence"] and max(said["image"]) == 255


@pytest.mark.browser
def test_reading_is_fast(page):
    """The fastest of ten: the machine may do other things."""
    times = page.execute_script(
        "return Array.from({ length: 10 }, (_, n) => { const start = performance.now();"
        "mnistLive.answerTo({ strokes: mnistLive.about.examples[n][0], pen: 20 });"
        "return performance.now() - start })"
    )
    assert min(times) < 50, times


# --- Watch it learn ------------------------------------------------------------------------------


def step_by_hand(weights, x, labels, rate):
    """One step of notebook 03: the weights after it, and the loss before."""
    W1, b1, W2, b2 = weights
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    scores = a1 @ W2 + b2
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    y = np.eye(10)[labels]
    dz2 = (p - y) / len(x)
    dz1 = dz2 @ W2.T * (z1 > 0)
    gradients = [x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)]
    loss = -np.log((p * y).sum(axis=1)).mean()
    return [w - rate * g for w, g in zip(weights, gradients, strict=True)], loss


@pytest.mark.browser
def test_step_is_that_of_notebook_03(page):
    generator = np.random.default_rng(3)
    shapes = [(784, 12), (12,), (12, 10), (10,)]
    weights = [generator.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]
    images, labels = synthetic.make_digits(20, seed=9)
    x = data.flatten(data.scale(images))
    script = """const [weights, x, labels, rate] = arguments;
        const mine = weights.map((row) => Float32Array.from(row));
        const loss = mnistLive.learn.step(mine, Float32Array.from(x), labels, rate);
        return [mine.map((row) => [...row]), loss]"""
    flat = [w.ravel().tolist() for w in weights]
    found, loss = page.execute_script(script, flat, x.ravel().tolist(), labels.tolist(), 0.5)
    right, right_loss = step_by_hand([w.astype(float) for w in weights], x, labels, 0.5)
    assert loss == pytest.approx(right_loss, rel=1e-5)
    for mine, theirs in zip(found, right, strict=True):
        apart = np.abs(np.reshape(mine, theirs.shape) - theirs)
        assert apart.max() < 1e-5 * np.abs(theirs).max()


@pytest.mark.browser
def test_digits_of_the_page_are_those_that_the_package_draws(page):
    read = "const d = mnistLive.learn.unpack(mnistLive.digits.check); return [[...d.x], d.labels]"
    x, labels = page.execute_script(read)
    images, right = synthetic.make_digits(export.CHECK, 2)
    assert labels == right.tolist()
    assert np.abs(np.array(x) * 255 - images.ravel()).max() <= 8.5


def learn_until(page, true):
    find(page, ".live-play").click()
    until(page, true)
    if find(page, ".live-play").text == "Pause":
        find(page, ".live-play").click()
    return find(page, ".live-numbers").text


def turn(page, place):
    page.execute_script(
        "const slider = document.querySelector('.live-rate input'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))",
        place,
    )


def steps(page):
    return int(find(page, ".live-numbers").text.split()[1])


@pytest.mark.browser
def test_network_learns_stops_and_begins_again(page):
    assert steps(page) == 0 and "not MNIST" in find(page, ".live-learn .live-source").text
    find(page, ".live-step").click()
    assert steps(page) == 1 and "the loss was" in sentence(page, ".live-learn")
    picture = "return document.querySelector('.live-units').toDataURL()"
    before = page.execute_script(picture)
    told = learn_until(page, lambda: steps(page) >= 150)
    assert float(told.split("loss ")[1].split()[0]) < 1.5
    assert page.execute_script(picture) != before
    assert "Paused" in sentence(page, ".live-learn")
    find(page, ".live-reset").click()
    assert steps(page) == 0 and find(page, ".live-play").text == "Play"
    find(page, ".live-hidden").send_keys("32")
    until(page, lambda: "32 hidden units" in sentence(page, ".live-learn"))


@pytest.mark.browser
def test_too_large_a_rate_explodes_and_is_told(page):
    turn(page, 10)
    seen = set()

    def over():
        seen.add(sentence(page, ".live-learn")[:20])
        return "silent" in sentence(page, ".live-learn")

    learn_until(page, over)
    assert "10 % of the test" in find(page, ".live-numbers").text


@pytest.mark.browser
def test_nan_is_told_in_words_and_stops(page):
    page.execute_script("mnistLive.learn.step = () => NaN")
    find(page, ".live-play").click()
    until(page, lambda: "not a number" in sentence(page, ".live-learn"))
    assert find(page, ".live-play").text == "Play" and steps(page) == 1


@pytest.mark.browser
def test_little_motion_where_it_is_asked_for_and_none_out_of_sight(page):
    show(page, motion="reduce")
    assert steps(page) == 0 and find(page, ".live-play").text == "Play"
    find(page, ".live-play").click()
    seen = set()
    until(page, lambda: seen.add(steps(page)) or steps(page) >= 75)
    assert {number % 25 for number in seen} == {0}
    page.execute_script("document.querySelector('.live-learn').style.display = 'none'")
    count = "return Number(document.querySelector('.live-numbers').textContent.split(' ')[1])"
    page.execute_async_script("setTimeout(arguments[0], 300)")
    hidden = page.execute_script(count)
    page.execute_async_script("setTimeout(arguments[0], 1000)")
    assert page.execute_script(count) == hidden


# --- For everybody -------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(
    "width, theme", [(1280, "light"), (1280, "dark"), (320, "light"), (360, "dark")]
)
def test_page_is_accessible_and_fits(page, width, theme):
    show(page, width, theme)
    find(page, ".mnist-pad-area").send_keys("8")
    until(page, lambda: digits_read(page)[0])
    size = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert size[0] <= size[1] == width
    shifts = page.execute_async_script(
        "new PerformanceObserver((list) => arguments[0](list.getEntries().map((e) => e.value)))"
        ".observe({ type: 'layout-shift', buffered: true });"
        "setTimeout(() => arguments[0]([]), 500)"
    )
    assert sum(shifts) < 0.05, shifts
    package = importlib.util.find_spec("axe_core_python")
    if package is None:
        pytest.skip('axe-core is missing: pip install -e ".[test]"')
    page.execute_script(Path(package.origin).with_name("axe.min.js").read_text("utf-8"))
    found = page.execute_async_script("axe.run().then(arguments[0])")
    assert [
        (fault["id"], [n["html"] for n in fault["nodes"]]) for fault in found["violations"]
    ] == []


@pytest.mark.browser
def test_keyboard_alone_reaches_everything(page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    reached = []
    for _ in range(24):
        ActionChains(page, duration=0).send_keys(Keys.TAB).perform()
        reached.append(
            page.execute_script(
                "const at = document.activeElement; return at.getAttribute('aria-label') ??"
                "at.labels?.[0]?.textContent.trim().split('\\n')[0] ?? at.textContent"
            )
        )
    names = " | ".join(reached)
    for name in ("Drawing area", "Undo", "Clear", "Pen width", "Draw an example of 9"):
        assert name in names
    for name in (
        "Move the digit",
        "Direction",
        "Play",
        "Step",
        "Reset",
        "Batch",
        "Hidden",
        "Learning rate",
    ):
        assert name in names, names
