"""Drawings, photos and pages become what MNIST holds."""

import io
import subprocess
import sys

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')

import rendered  # noqa: E402
from PIL import Image  # noqa: E402

from mnist_edu import ink, paper  # noqa: E402

PADS = {digit: ink.draw_strokes(rendered.strokes(digit)) for digit in range(10)}
CLEAN = {digit: ink.to_mnist(pad) for digit, pad in PADS.items()}


def likeness(one, other) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def read(image) -> int:
    """Return the digit whose clean image is most like this one, moved by at most a pixel."""
    moves = [np.roll(image, (a, b), (0, 1)).ravel() for a in (-1, 0, 1) for b in (-1, 0, 1)]
    alike = np.corrcoef(moves, [CLEAN[digit].ravel() for digit in CLEAN])[
        : len(moves), len(moves) :
    ]
    return list(CLEAN)[alike.max(axis=0).argmax()]


def centre(image) -> np.ndarray:
    return (np.indices(image.shape) * image).sum(axis=(1, 2)) / image.sum()


# --- MNIST's form --------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", PADS)
def test_ink_is_20_long_and_its_centre_of_mass_in_the_middle(digit):
    image = CLEAN[digit]
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert np.abs(centre(image) - 14).max() <= 0.51
    assert len(np.unique(image)) > 8  # shades of grey at the edges


def test_shape_and_place_are_those_computed_by_hand():
    image = np.zeros((300, 400), np.uint8)
    image[50:250, 30:70] = 255  # 200 high, 40 wide: 20 x 4 in MNIST's form
    expected = np.zeros((28, 28), np.uint8)
    expected[4:24, 12:16] = 255  # centre of mass at (13.5, 13.5), half a pixel from (14, 14)
    assert (ink.to_mnist(image, without=("pen",)) == expected).all()


def test_centre_of_mass_and_not_of_the_box_is_moved():
    heavy_top = np.zeros((280, 280), np.uint8)
    heavy_top[40:240, 130:150] = 255
    heavy_top[40:70, 80:200] = 255
    image = ink.to_mnist(heavy_top)
    rows = np.flatnonzero(image.any(axis=1))
    assert rows[0] > 4 and abs(centre(image)[0] - 14) <= 0.51


def test_top_stays_top_and_left_stays_left():
    corner = [[(60, 40), (60, 240), (200, 240)]]  # an L
    image = ink.to_mnist(ink.draw_strokes(corner)).astype(int)
    ys, xs = np.nonzero(image)
    assert image[:, xs.min() : xs.min() + 3].sum() > 3 * image[:, xs.max() - 2 : xs.max() + 1].sum()
    assert image[ys.max() - 2 : ys.max() + 1].sum() > 3 * image[ys.min() : ys.min() + 3].sum()


def test_stroke_in_a_grey_blot_is_not_thinned_away():
    blot = np.full((200, 200), 0.45, np.float32)
    blot[40:160, 98:102] = 1
    image = ink._fit(blot, ())
    assert image.shape == (28, 28) and image.max() == 255


def test_digit_in_mnist_form_stays_as_it_is():
    for digit in CLEAN:
        assert likeness(ink.to_mnist(CLEAN[digit]), CLEAN[digit]) > 0.97


@pytest.mark.parametrize("width", [4, 50])
def test_thin_and_thick_pens_come_near_mnist_width(width):
    drawing = ink.draw_strokes(rendered.strokes(7), width=width)
    amounts = [ink.to_mnist(drawing, without=w).sum() / CLEAN[7].sum() for w in ((), ("pen",))]
    assert abs(amounts[0] - 1) < 0.7 * abs(amounts[1] - 1)


# --- Any drawing ---------------------------------------------------------------------------------


def painted(digit, pen, ground):
    share = PADS[digit][..., None] / 255
    return np.round(share * np.array(pen) + (1 - share) * np.array(ground)).astype(np.uint8)


COLOURS = {
    "black on white": ((0, 0, 0), (255, 255, 255)),
    "white on black": ((255, 255, 255), (0, 0, 0)),
    "red on green, equally light": ((200, 60, 60), (60, 200, 60)),
    "blue on white": ((30, 30, 160), (250, 250, 250)),
    "yellow on blue": ((250, 230, 40), (10, 20, 90)),
    "pale grey on white": ((200, 200, 200), (255, 255, 255)),
}


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("digit", [4, 5, 8])
def test_colours_do_not_matter(name, digit):
    assert likeness(ink.to_mnist(painted(digit, *COLOURS[name])), CLEAN[digit]) > 0.97


def test_grey_bool_alpha_and_colour_agree():
    pad = PADS[5]
    flat = np.zeros((280, 280, 3), np.uint8)
    same = [255 - pad, pad[..., None], pad > 127, np.dstack([flat, pad]), np.dstack([~flat, pad])]
    for form in same:
        assert likeness(ink.to_mnist(form), CLEAN[5]) > 0.97


@pytest.mark.parametrize("shape", [(56, 56), (280, 400), (700, 1000), (3000, 1700)])
def test_size_of_the_picture_and_place_in_it_do_not_matter(shape):
    side = int(0.9 * min(shape))
    sheet = np.zeros(shape, np.uint8)
    sheet[-side:, -side:] = cv2.resize(PADS[2], (side, side), interpolation=cv2.INTER_AREA)
    assert likeness(ink.to_mnist(sheet), CLEAN[2]) > 0.95


@pytest.mark.parametrize("left", [3, 40, 150])
@pytest.mark.parametrize("light", [False, True])
def test_plain_bar_is_ink_and_not_ground(left, light):
    drawing = np.zeros((300, 400), np.uint8)
    drawing[50:250, left : left + 40] = 255
    image = ink.to_mnist(drawing if light else 255 - drawing)
    assert (image[8:20, 12:15] > 200).all()


def test_ink_that_touches_the_edge_is_read():
    tight = PADS[2][25:-25, 50:-50]
    assert read(ink.to_mnist(tight)) == 2


def test_smudge_far_away_does_not_shift_the_digit():
    smudged = PADS[3].copy()
    smudged[5:11, 5:11] = 255
    assert likeness(ink.to_mnist(smudged), CLEAN[3]) > 0.97


def test_hat_of_a_five_stays_with_it():
    hat = np.flatnonzero(CLEAN[5].any(axis=1))[:3]
    apart = ink.draw_strokes(rendered.strokes(5), width=12)
    count = cv2.connectedComponents((apart > 127).astype(np.uint8))[0] - 1
    assert count == 2  # the drawing does have two parts
    assert ink.to_mnist(apart)[hat, 14:].max() > 200
    boxes, images = ink.find_digits(apart)
    assert len(boxes) == 1 and (images[0] == ink.to_mnist(apart)).all()


# --- Photos --------------------------------------------------------------------------------------


def photographed(digit, seed, squares=0.0, turned=0.02, side=420):
    generator = np.random.default_rng(seed)
    large = cv2.resize(PADS[digit], (side, side)) / 255
    sheet = rendered.placed(large, 600, 800, generator)
    if squares:
        sheet = rendered.ruled(sheet, 40, squares, squared=True, tilt=0.02)
    return rendered.photo(sheet, generator, turned=turned)


@pytest.mark.parametrize("digit", PADS)
def test_photo_with_shadow_noise_and_perspective_is_read(digit):
    image = ink.to_mnist(photographed(digit, seed=digit))
    assert read(image) == digit
    assert (image == 0).mean() > 0.5  # and no paper is left


@pytest.mark.parametrize("strength", [0.4, 0.8])
@pytest.mark.parametrize("digit", [0, 3, 5, 7])
def test_squared_paper_is_not_ink(digit, strength):
    assert read(ink.to_mnist(photographed(digit, digit, squares=strength))) == digit


@pytest.mark.parametrize("digit", [1, 2, 6, 9])
def test_small_digit_among_many_squares_is_all_that_is_left(digit):
    photo = photographed(digit, digit, squares=0.9, side=220)
    assert read(ink.to_mnist(photo)) == digit
    found = np.bincount(ink._pieces(paper.ink_of(photo, ())[1], clean=False).ravel())[1:]
    assert found.max() > 0.99 * found.sum()


def test_stroke_that_crosses_lines_is_mended():
    sheet = rendered.ruled(np.pad(PADS[0] / 255, 100), 60, 1.0)
    drawing = np.round(255 * (1 - sheet)).astype(np.uint8)
    assert likeness(ink.to_mnist(drawing), CLEAN[0]) > 0.998  # 0.996 with gaps
    assert likeness(ink.to_mnist(drawing, without=("lines",)), CLEAN[0]) < 0.7


@pytest.mark.parametrize("strength", [0.3, 0.5])
def test_stroke_along_a_line_of_the_paper_stays(strength):
    sheet = np.pad(PADS[7] / 255, 60)
    lines = np.zeros_like(sheet)
    lines[124:134] = lines[330:340] = strength  # the bar of the 7 is 121 to 143, with round ends
    drawing = np.round(255 * (1 - np.maximum(sheet, lines))).astype(np.uint8)
    assert likeness(ink.to_mnist(drawing), CLEAN[7]) > 0.99


@pytest.mark.parametrize("tilt", [-0.06, 0.06])
def test_line_that_leaves_the_sheet_in_a_corner_is_no_ink(tilt):
    sheet = rendered.ruled(np.pad(PADS[3] / 255, 100), 60, 1.0, tilt=tilt)
    mask = paper.ink_of(np.round(255 * (1 - sheet)).astype(np.uint8), ())[1]
    outside = np.pad(np.zeros((280, 280), bool), 100, constant_values=True)
    assert (mask & outside).sum() < 150  # a few pixels in the very corner are left


@pytest.mark.parametrize("digit", [2, 3, 5, 8])
def test_lines_that_cover_half_of_the_paper_are_no_noise(digit):
    sheet = rendered.ruled(np.pad(PADS[digit] / 255, 100), 8, 0.4, squared=True)
    sheet = cv2.GaussianBlur(sheet, (0, 0), 1)
    assert read(ink.to_mnist(np.round(255 * (1 - sheet)).astype(np.uint8))) == digit


def test_one_that_fills_the_picture_is_no_line_of_the_paper():
    tall = np.zeros((280, 280), np.uint8)
    tall[:, 138:142] = 255
    rows = np.flatnonzero(ink.to_mnist(tall).any(axis=1))
    assert len(rows) == 20


# --- Pages ---------------------------------------------------------------------------------------


def written(seed, tilt, count=23):
    generator = np.random.default_rng(seed)
    digits = generator.integers(0, 10, count)
    sheet, centres = rendered.page([CLEAN[d] for d in digits], generator, tilt, per_row=6)
    return digits, sheet, centres, generator


@pytest.mark.parametrize("tilt", [-5, 0, 5])
@pytest.mark.parametrize("on_photo", [False, True])
def test_page_is_read_row_by_row_from_left_to_right(tilt, on_photo):
    digits, sheet, centres, generator = written(3, tilt)
    page = (rendered.photo if on_photo else rendered.coloured)(sheet, generator)
    boxes, images = ink.find_digits(page)
    assert boxes.shape == (23, 4) and images.shape == (23, 28, 28) and images.dtype == np.uint8
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(middles - centres).max() < 30
    if not tilt:
        assert [read(image) for image in images] == digits.tolist()


def test_long_line_below_digits_hides_none_of_them():
    sheet, centres = rendered.page(list(CLEAN.values())[:6], np.random.default_rng(1), 0, per_row=6)
    page = np.round(255 * (1 - np.pad(sheet, ((0, 60), (0, 400))))).astype(np.uint8)
    page[-30:-26, 40:-300] = 0  # not from edge to edge: no line of the paper
    boxes, _ = ink.find_digits(page)
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    assert all((np.hypot(*(middles - centre).T) < 20).any() for centre in centres)


def test_boxes_fit_the_ink_in_pixels_of_a_large_page():
    page = np.full((3000, 2400), 255, np.uint8)
    page[300:700, 500:540] = page[1500:1900, 900:960] = 0
    boxes, _ = ink.find_digits(page)
    assert np.abs(boxes - [[500, 300, 40, 400], [900, 1500, 60, 400]]).max() <= 4


def test_reading_order_on_a_page_that_is_tilted():
    columns, rows = np.meshgrid(np.arange(8) * 100, np.arange(5) * 90)
    boxes = np.stack([columns, rows + 0.12 * columns, 0 * rows + 40, 0 * rows + 60], axis=-1)
    boxes = boxes.reshape(-1, 4)
    mixed = np.random.default_rng(0).permutation(40)
    assert (mixed[ink._reading_order(boxes[mixed])] == np.arange(40)).all()


def test_digits_that_lie_higher_and_lower_in_a_row_stay_in_it():
    columns, rows = np.meshgrid(np.arange(6) * 100, np.arange(5) * 100)
    boxes = np.stack([columns, rows, 0 * rows + 40, 0 * rows + 60], axis=-1).reshape(-1, 4)
    boxes[24:28, 1] += [8, 2, -12, 10]
    boxes = boxes[:28]  # the last row holds four
    assert (ink._reading_order(boxes) == np.arange(28)).all()


def hand_written(widths) -> np.ndarray:
    """Return the digits 2, 3, ... beside each other, each with its pen, float in 0..1."""
    pads = [ink.draw_strokes(rendered.strokes(2 + n), width=w) for n, w in enumerate(widths)]
    return np.pad(np.hstack(pads), 60) / 255


def test_thin_strokes_beside_thick_ones_are_whole_in_a_photo_that_is_not_sharp():
    sheet = cv2.GaussianBlur(hand_written([36, 5, 36, 5]), (0, 0), 5)
    _, images = ink.find_digits(np.round(255 * (1 - sheet)).astype(np.uint8))
    assert [read(image) for image in images] == [2, 3, 4, 5]


def test_long_line_below_a_row_hides_no_digit():
    sheet = hand_written([12] * 6)
    sheet[370:374, 100:1500] = 1
    assert len(ink.find_digits(np.round(255 * (1 - sheet)).astype(np.uint8))[0]) == 6


def test_one_that_stands_on_a_line_of_the_paper_stays():
    sheet = rendered.ruled(np.zeros((800, 600)), 40, 0.5, squared=True)
    sheet[100:160, 240:246] = sheet[300:370, 402:406] = 1  # lines at 240, 241 and 400, 401
    page = cv2.GaussianBlur(np.round(255 * (1 - sheet)).astype(np.uint8), (0, 0), 1)
    boxes, _ = ink.find_digits(page)
    assert len(boxes) == 2 and np.abs(boxes[:, 1] - [100, 300]).max() <= 4


@pytest.mark.parametrize(("width", "pen", "seed"), [(4, 0.85, 0), (5, 0.85, 1), (3, 1.0, 0)])
def test_thin_one_that_runs_along_a_line_of_the_paper_is_found(width, pen, seed):
    sheet = np.zeros((1400, 1000))
    for x in (150, 350, 550, 750):
        cv2.ellipse(sheet, (x, 200), (22, 36), 0, 0, 360, 1, 5)
    sheet[490:560, 600 : 600 + width] = 1  # lines at 600 to 603
    sheet[520:545, 600 : 600 + width] = pen
    ruled = rendered.ruled(sheet, 40, 0.7, squared=True)
    boxes, _ = ink.find_digits(rendered.photo(ruled, np.random.default_rng(seed)))
    assert len(boxes) == 5 and abs(boxes[4, 1] - 490) < 12 and boxes[4, 3] > 45


@pytest.mark.parametrize(
    "body, hat", [((37, 44), (40, 18, 30, -36)), ((29, 52), (52, 20, 33, -16))]
)
def test_flat_hat_beside_a_five_stays_with_it(body, hat):
    page = np.full((200, 700), 255, np.uint8)
    width, height, right, up = hat
    for left in (50, 150, 250, 350):  # digits of the usual height
        page[50:120, left : left + 40] = 0
    page[80 : 80 + body[1], 450 : 450 + body[0]] = 0
    page[80 + up : 80 + up + height, 450 + right : 450 + right + width] = 0
    assert len(ink.find_digits(page)[0]) == 5


def test_hair_is_no_digit():
    sheet = hand_written([20] * 3)
    sheet[100:300, 20:24] = 1
    assert len(ink.find_digits(np.round(255 * (1 - sheet)).astype(np.uint8))[0]) == 3


def test_single_digit_is_a_page_too():
    boxes, images = ink.find_digits(PADS[8])
    assert len(boxes) == 1 and (images[0] == CLEAN[8]).all()


# --- Real paper ----------------------------------------------------------------------------------


def sheet_of(digits, pen=16, size=160, gap=40) -> np.ndarray:
    """Return digits in a row, with a lot of empty paper below, as ink in 0..1."""
    parts = [ink.draw_strokes(rendered.strokes(d, size, 10), size, pen) / 255 for d in digits]
    row = np.hstack([np.pad(part, gap // 2) for part in parts])
    return np.pad(row, ((gap, 2 * size), (gap, gap)))


def on_paper(sheet, paper=215.0, pen=60.0) -> np.ndarray:
    return np.round(paper + sheet * (pen - paper)).astype(np.uint8)


def found_on(page) -> list[int]:
    return [read(image) for image in ink.find_digits(page)[1]]


def test_hard_shadow_on_digits_and_beside_them_is_no_ink():
    light = np.ones(sheet_of([3, 7, 8]).shape, np.float32)
    cv2.rectangle(light, (0, 330), (330, 600), 0.35, -1)  # where nothing is written
    cv2.circle(light, (400, 330), 170, 0.35, -1)  # and over half of the digits
    light = cv2.GaussianBlur(light, (0, 0), 3)
    page = np.round(on_paper(sheet_of([3, 7, 8])) * light).astype(np.uint8)
    assert found_on(page) == [3, 7, 8]


@pytest.mark.parametrize("edge", ["table", "border of a scan", "banner"])
def test_dark_edge_of_a_picture_is_no_ink(edge):
    page = on_paper(sheet_of([4, 0, 6], pen=10)).astype(float)
    height, width = page.shape
    corners = [(0, height - 60), (width // 2, height), (0, height)]
    if edge != "table":
        deep = {"border of a scan": 12, "banner": 36}[edge]
        corners = [(0, 0), (width, 0), (width, deep), (0, deep)]
    cv2.fillPoly(page, [np.int32(corners)], 20)
    assert found_on(np.round(page).astype(np.uint8)) == [4, 0, 6]


@pytest.mark.parametrize("turn", [70, 90])
def test_marks_on_a_dark_table_beside_the_paper_are_no_digits(turn):
    """A little less light is a large part of what a dark table gives back."""
    page = on_paper(sheet_of([3, 7, 8, 5], pen=12), 225, 50).astype(float)
    page[-260:] = 60
    for x, y in ((200, 130), (420, 180), (700, 110)):
        cv2.ellipse(page, (x, len(page) - y), (32, 16), turn, 0, 360, 35, -1)
    page = cv2.GaussianBlur(page, (0, 0), 1.2) + np.random.default_rng(1).normal(0, 2, page.shape)
    assert found_on(np.clip(np.round(page), 0, 255).astype(np.uint8)) == [3, 7, 8, 5]


def rows_of(*rows, pen=16) -> np.ndarray:
    """Return rows of digits below each other, as ink in 0..1."""
    high = 240
    return np.vstack([sheet_of(digits, pen)[:high] for digits in rows])


def test_shadow_with_straight_edges_over_digits_is_no_stroke():
    """Upright and level strokes of the digits were taken for lines of the paper, and the shadow,
    longer than wide, for the only stroke."""
    sheet = rows_of([1, 7, 4, 0], [4, 1, 7, 2], [7, 4, 1, 5])
    light = np.ones(sheet.shape, np.float32)
    corners = cv2.boxPoints(((300, 260), (420, 220), 12))
    cv2.fillPoly(light, [np.int32(corners)], 0.5)
    light = cv2.GaussianBlur(light, (0, 0), 2)
    page = np.round(on_paper(sheet) * light).astype(np.uint8)
    assert found_on(page) == [1, 7, 4, 0, 4, 1, 7, 2, 7, 4, 1, 5]


@pytest.mark.parametrize("turn", [0, 3])
@pytest.mark.parametrize("deep", [20, 36])
def test_printed_band_with_more_ink_than_the_digits_is_no_digit(deep, turn):
    sheet = np.vstack([np.zeros((160, 880)), rows_of([3, 6, 8, 5], pen=10)])
    width = sheet.shape[1]
    band = cv2.boxPoints(((width / 2 + 60, 80), (width - 160, deep), turn))
    cv2.fillPoly(sheet, [np.int32(band)], 0.8)
    assert len(ink.find_digits(on_paper(sheet))[0]) == 4


def test_corners_of_a_wide_band_are_no_digits():
    """A round window does not reach into them, so they were taken for ink on light paper."""
    sheet = np.vstack([np.zeros((200, 880)), rows_of([3, 6, 8, 5], [0, 2, 9, 6])])
    sheet[30:150, 40:] = 0.9
    assert found_on(on_paper(sheet)) == [3, 6, 8, 5, 0, 2, 9, 6]


def test_tall_1_beside_smaller_digits_is_no_band():
    sheet = rows_of([4, 6, 8])
    cv2.line(sheet, (60, 20), (60, 225), 1.0, 16)
    boxes, _ = ink.find_digits(on_paper(np.pad(sheet, ((0, 0), (60, 0)))))
    assert len(boxes) == 4


def test_upright_1_beside_specks_is_no_band():
    page = np.full((400, 300), 225, np.uint8)
    cv2.line(page, (150, 40), (150, 360), 40, 24)
    for x, y in ((60, 100), (230, 250), (70, 330)):
        cv2.circle(page, (x, y), 6, 60, -1)
    assert read(ink.to_mnist(page)) == 1


def test_dot_half_as_high_as_the_digits_is_no_digit():
    sheet = sheet_of([3, 6, 8])
    cv2.circle(sheet, (320, 330), 40, 1.0, -1)
    assert found_on(on_paper(sheet)) == [3, 6, 8]


def test_band_as_high_as_the_digits_is_no_digit():
    """It is too high for ``_without_band``, and too thick a pen writes beside it for a shadow."""
    sheet = rows_of([3, 6, 8, 1], [5, 2, 0, 4], [9, 7, 4, 6], pen=34)
    sheet = np.vstack([np.zeros((200, sheet.shape[1])), sheet])
    sheet[30:140, 10:] = 1
    assert len(ink.find_digits(on_paper(sheet))[0]) == 12


def test_far_part_belongs_to_a_broken_digit_and_a_smudge_does_not():
    page = np.full((420, 420), 225, np.uint8)
    body = [(150, 190), (145, 250), (220, 255), (235, 330), (140, 340)]
    cv2.polylines(page, [np.int32(body)], False, 40, 18)
    alone = ink.to_mnist(page)
    cv2.circle(page, (330, 260), 10, 60, -1)
    np.testing.assert_array_equal(ink.to_mnist(page), alone)
    cv2.line(page, (160, 95), (270, 90), 40, 18)
    assert read(ink.to_mnist(page)) == 5


@pytest.mark.parametrize("turn", [0, 6])
def test_note_on_a_dark_desk_is_found_and_its_boxes_lie_on_the_page(turn):
    note = on_paper(sheet_of([5, 2, 0, 6]), 225)[:360]
    height, width = note.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
    matrix[:, 2] += 150, 300
    desk = cv2.warpAffine(note, matrix, (width + 400, height + 500), borderValue=35)
    boxes, images = ink.find_digits(desk)
    assert [read(cv2.warpAffine(image, np.eye(2, 3), (28, 28))) for image in images] == [5, 2, 0, 6]
    centres = np.array([[140 + 200 * n, 140] for n in range(4)]) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - centres).max() < 12


@pytest.mark.parametrize("digit", [0, 3, 6, 9])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))]
)
def test_thick_digit_alone_on_squared_paper_is_no_stain(digit, seed):
    """Where the squares are broken, their sides were taken for the strokes."""
    generator = np.random.default_rng(seed)
    large = cv2.resize(PADS[digit], (300, 300), interpolation=cv2.INTER_AREA) / 255
    thick = cv2.dilate(large, np.ones((25, 25), np.uint8))
    sheet = rendered.placed(thick, 600, 800, generator)
    sheet = rendered.ruled(sheet, 40, 0.9, squared=True, tilt=generator.uniform(-0.04, 0.04))
    assert read(ink.to_mnist(rendered.photo(sheet, generator, turned=0.02))) == digit


@pytest.mark.parametrize(("digit", "blot"), [(2, (120, 190)), (9, (150, 70)), (5, (170, 150))])
def test_blot_on_the_strokes_of_a_digit_alone_is_ink(digit, blot):
    page = ink.draw_strokes(rendered.strokes(digit), width=10)
    cv2.circle(page, blot, 26, 255, -1)
    level = ink.to_mnist(page, without=("light",))
    np.testing.assert_allclose(ink.to_mnist(page).astype(int), level, atol=10)


def test_stain_beside_digits_is_no_digit():
    stain = np.zeros_like(sheet_of([6, 1, 2], pen=6))
    cv2.ellipse(stain, (330, 380), (95, 80), 0, 0, 360, 0.12, -1)
    stained = np.maximum(sheet_of([6, 1, 2], pen=6), cv2.GaussianBlur(stain, (0, 0), 5))
    assert len(ink.find_digits(on_paper(stained))[0]) == 3


@pytest.mark.parametrize("side", [32, 100, 300])
@pytest.mark.parametrize("light", [False, True])
def test_digit_cut_out_at_its_box_is_read_as_with_a_margin(side, light):
    for digit in PADS:
        drawn = ink.draw_strokes(rendered.strokes(digit), width=30)
        left, top, width, height = ink._box(drawn > 127)
        scale = side / max(width, height)
        cut = drawn[top : top + height, left : left + width]
        cut = cv2.resize(cut, (round(scale * width), round(scale * height)), interpolation=3)
        cut = cut if light else 255 - cut
        wide = np.pad(cut, side // 5, mode="constant", constant_values=0 if light else 255)
        assert likeness(ink.to_mnist(cut), ink.to_mnist(wide)) > 0.95, digit


@pytest.mark.parametrize("pen", [1, 2, 3, 4])
def test_thin_pens_write_digits_even_an_upright_1(pen):
    page = np.full((300, 900), 245, np.uint8)
    for place, digit in enumerate((4, 7, None, 0, 6, 2)):
        corner = np.array([20 + 145 * place, 80])
        strokes = rendered.strokes(digit, 130, 20) if digit is not None else [[(60, 20), (60, 110)]]
        for stroke in strokes:
            cv2.polylines(page, [np.int32(stroke + corner)], False, 40, pen)
    boxes, images = ink.find_digits(page)
    assert len(boxes) == 6
    assert [read(image) for image in images[[0, 1, 3, 4, 5]]] == [4, 7, 0, 6, 2]


def test_small_noisy_pictures_hold_strokes_and_no_ruled_lines():
    generator, right = np.random.default_rng(0), 0
    for number in range(60):
        small = cv2.resize(PADS[number % 10], (28, 28), interpolation=cv2.INTER_AREA).astype(float)
        noise = generator.uniform(0, 70, small.shape) * (generator.random(small.shape) < 0.6)
        right += read(ink.to_mnist(np.clip(small + noise, 0, 255).astype(np.uint8))) == number % 10
    assert right >= 58


def test_neighbours_a_hair_apart_are_two_digits():
    gap, columns = 9, [np.flatnonzero(PADS[digit].any(axis=0)) for digit in (3, 6, 5)]
    parts = [PADS[d][:, c[0] : c[-1] + 1] for d, c in zip((3, 6, 5), columns, strict=True)]
    row = np.hstack([np.pad(part, ((60, 60), (0, gap))) for part in parts])
    assert found_on(on_paper(np.pad(row, ((0, 0), (80, 80))) / 255)) == [3, 6, 5]


def test_photo_with_an_edge_of_shadow_is_no_noise():
    """Grain in the shadow was taken for strokes, and the digit for a stain among them."""
    generator = np.random.default_rng(7)
    right = np.arange(300) / 300
    light = (1 - 0.25 * right) * (1 - 0.4 / (1 + np.exp(-(right - 0.6) / 0.08)))
    for digit in (0, 3, 6, 8):
        sheet = cv2.resize(PADS[digit], (170, 170), interpolation=cv2.INTER_AREA) / 255
        page = (240 - 180 * np.pad(sheet, 65)) * light + generator.normal(0, 7, (300, 300))
        page = cv2.GaussianBlur(page, (0, 0), 1).clip(0, 255).astype(np.uint8)
        assert read(ink.to_mnist(page)) == digit


# --- What cannot be read -------------------------------------------------------------------------

FAULTS = {
    "no ink": np.zeros((280, 280), np.uint8),
    "of one shade": np.full((280, 280, 3), 255, np.uint8),
    "dark pen": np.tile(np.linspace(0, 255, 300).astype(np.uint8), (300, 1)),
    "transparent everywhere": np.zeros((28, 28, 4), np.uint8),
    "not float64": np.zeros((28, 28)),
    "uint8 in 0..255": None,
    r"not \(784,\)": np.zeros(784, np.uint8),
    r"one picture at a time": np.zeros((5, 28, 28), np.uint8),
    "3 x 2 pixels is too small": np.zeros((2, 3), np.uint8),
    "0 x 0": np.zeros((0, 0), np.uint8),
}


@pytest.mark.parametrize("message", FAULTS)
@pytest.mark.parametrize("function", [ink.to_mnist, ink.find_digits])
def test_message_names_the_cause(message, function):
    with pytest.raises(ValueError, match=message):
        function(FAULTS[message])


def test_paper_with_noise_alone_has_no_ink():
    noise = np.random.default_rng(0).normal(200, 12, (600, 800)).astype(np.uint8)
    with pytest.raises(ValueError, match="no ink"):
        ink.to_mnist(noise)


def test_dash_alone_has_not_the_form_of_a_digit():
    dash = np.full((200, 400), 255, np.uint8)
    dash[100:108, 100:300] = 0
    with pytest.raises(ValueError, match="form of a digit: write"):
        ink.find_digits(dash)


def odd_picture(generator) -> np.ndarray:
    """Return lines, dots, blocks, ramps and noise of any size, shape and depth, or none of it."""
    height, width = np.round(2 ** generator.uniform(1, 6.5, 2)).astype(int)
    picture = np.full((height, width), generator.integers(0, 256), np.float32)
    for _ in range(generator.integers(0, 6)):
        (a, b), shade = (
            generator.integers(-5, 100, (2, 2)).tolist(),
            int(generator.integers(0, 256)),
        )
        kind = generator.integers(0, 4)
        if kind == 0:
            cv2.line(picture, a, b, shade, int(generator.integers(1, 9)))
        elif kind == 1:
            cv2.circle(picture, a, abs(b[0]), shade, int(generator.choice([-1, 1, 3])))
        elif kind == 2:
            cv2.rectangle(picture, a, b, shade, -1)
        else:
            picture += np.linspace(0, shade, width, dtype=np.float32)
    picture += generator.choice([0, 0, 3, 40]) * generator.normal(size=picture.shape)
    picture = picture.clip(0, 255).astype(np.uint8)
    depth = generator.choice([0, 0, 1, 3, 4])
    if depth:
        tints = generator.integers(0, 256, depth) if generator.random() < 0.5 else [255] * depth
        picture = np.uint8(picture[..., None] * (np.array(tints) / 255))
    return picture > 127 if generator.random() < 0.1 else picture


def is_read_or_refused(function, picture) -> bool:
    try:
        found = function(picture)
    except ValueError as error:
        return len(str(error)) > 20
    images = found[1] if function is ink.find_digits else found[None]
    return len(images) > 0 and images.shape[1:] == (28, 28) and images.max() == 255


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "count", [150, pytest.param(10_000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_odd_picture_is_read_or_refused_in_a_sentence(count):
    for seed in range(count):
        picture = odd_picture(np.random.default_rng(seed))
        for function in (ink.to_mnist, ink.find_digits):
            assert is_read_or_refused(function, picture), (seed, picture.shape)


def test_unknown_step_is_named():
    with pytest.raises(ValueError, match="'center': use one of colour, light"):
        ink.to_mnist(PADS[1], without=("center",))


@pytest.mark.parametrize("strokes", [[[1, 2, 3]], [["a"]], [[]], 5, [[(float("nan"), 1)]]])
def test_strokes_that_are_none_are_refused(strokes):
    with pytest.raises(ValueError, match="stroke"):
        ink.draw_strokes(strokes)


def test_pen_must_fit_the_pad():
    with pytest.raises(ValueError, match="width 0"):
        ink.draw_strokes([], width=0)


def test_point_and_line_are_drawn_where_they_are():
    dot = ink.draw_strokes([[(200, 60)]], width=20)
    assert dot.shape == (280, 280) and np.allclose(centre(dot), (60, 200), atol=1)
    line = ink.draw_strokes([[(40, 50), (240, 50)]], width=20)
    assert np.abs(ink._box(line > 127) - [30, 40, 220, 20]).max() <= 2


# --- Files ---------------------------------------------------------------------------------------


def encoded(image, kind, **how) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **how)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_file_and_its_bytes_are_read(kind, tmp_path):
    content = encoded(PADS[6], kind)
    file = tmp_path / "six"
    file.write_bytes(content)
    for image in (ink.read_image(file), ink.read_image(str(file)), ink.read_image(content)):
        assert image.shape == (280, 280, 3) and likeness(image[..., 0], PADS[6]) > 0.99


def test_colours_alpha_and_depth_of_a_file_are_kept():
    red = np.zeros((20, 20, 4), np.uint8) + np.array([200, 50, 10, 99], np.uint8)
    assert (ink.read_image(encoded(red, "PNG")) == red).all()
    assert (ink.read_image(encoded(red[..., :3], "PNG")) == red[..., :3]).all()
    deep = ink.read_image(encoded(PADS[1].astype(np.uint16) * 257, "PNG"))
    assert (deep[..., 0] == PADS[1]).all()


def test_photo_taken_upright_is_read_upright():
    turned = Image.Exif()
    turned[0x0112] = 6  # "turn me by a quarter"
    sideways = np.rot90(PADS[7])
    image = ink.read_image(encoded(sideways, "JPEG", exif=turned))
    assert likeness(image[..., 0], PADS[7]) > 0.99


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_picture_with_alpha_is_turned_upright_too(kind):
    turned = Image.Exif()
    turned[0x0112] = 6
    sideways = np.rot90(np.dstack([PADS[7]] * 4))
    image = ink.read_image(encoded(sideways, kind, exif=turned, lossless=True))
    assert image.shape == (280, 280, 4) and likeness(image[..., 3], PADS[7]) > 0.99


@pytest.mark.parametrize("full", [1, 255, 65535])
def test_fractions_of_a_scientific_tiff_become_bytes(full):
    deep = np.float32(PADS[3] / 255 * full)
    assert np.abs(ink.read_image(encoded(deep, "TIFF"))[..., 0] - PADS[3].astype(int)).max() <= 1


def test_heic_photo_is_named():
    with pytest.raises(ValueError, match="a HEIC photo, which cannot be read here: use PNG or"):
        ink.read_image(b"\0\0\0\x24ftypheic" + bytes(60))


def test_photo_of_50_megapixels_is_decoded_reduced():
    large = encoded(np.full((6000, 8400), 240, np.uint8), "JPEG")
    assert ink.read_image(large).shape == (3000, 4200, 3)


def test_large_png_is_refused_before_it_is_decoded(monkeypatch):
    large = encoded(np.zeros((6000, 8400), bool), "PNG")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(ValueError, match="too many pixels: save it smaller"):
        ink.read_image(large)


def test_file_that_is_no_image_says_so(tmp_path):
    with pytest.raises(ValueError, match="no file .*gone.png"):
        ink.read_image(tmp_path / "gone.png")
    (tmp_path / "notes.png").write_text("hello")
    with pytest.raises(ValueError, match="notes.png is no image"):
        ink.read_image(tmp_path / "notes.png")
    with pytest.raises(ValueError, match="no image"):
        ink.read_image(b"")
    with pytest.raises(ValueError, match="damaged"):
        ink.read_image(encoded(PADS[1], "PNG")[:200])


# --- Dependencies --------------------------------------------------------------------------------


def after(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_package_its_data_and_its_pictures_do_without_opencv():
    code = "import sys, mnist_edu; from mnist_edu import data, plots; print('cv2' in sys.modules)"
    assert after(code) == "False"


def test_missing_opencv_names_the_extra():
    code = """import sys
sys.modules["cv2"] = None
try:
    from mnist_edu import ink
except ImportError as error:
    print(error)"""
    way = 'pip install -e ".[ink]", in the folder of the series'
    assert after(code) == f"cv2 is missing: {way}"
