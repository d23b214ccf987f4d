"""What all drawing pads share: from strokes to an answer, and the words for it."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason='OpenCV is missing: pip install -e ".[ink]"')

from mnist_edu import ink, synthetic
from mnist_edu.pads import answer


def sure_of(value, digit=7, second=1):
    """Return ten probabilities: one digit with this value, the rest for a second one."""
    values = np.zeros(10)
    values[digit], values[second] = value, 1 - value
    return values


@pytest.mark.parametrize(
    "value, short, sure, sentence",
    [
        (1, "7", "100 %", "The network reads 7 (100 %)."),
        (0.996, "7", "> 99 %", "The network reads 7 (over 99 %)."),
        (0.994, "7", "99 %", "The network reads 7 (99 %)."),
        (0.8, "7", "80 %", "The network reads 7 (80 %)."),
        (0.79, "7?", "79 %", "The network is not sure: 7 (79 %), or 1 (21 %)."),
        (0.55, "7?", "55 %", "The network is not sure: 7 (55 %), or 1 (45 %)."),
    ],
)
def test_answer_in_doubt_has_a_question_mark_and_names_the_second_guess(
    value, short, sure, sentence
):
    given = answer.Answer(None, sure_of(value))
    assert (given.short, given.sure, given.sentence) == (short, sure, sentence)


def test_of_equal_probabilities_every_word_names_the_same_one_as_the_best():
    given = answer.Answer(None, np.full(10, 0.1))
    assert given.best == 0 and given.short == "0?"
    assert given.sentence == "The network is not sure: 0 (10 %), or 1 (10 %)."


def test_empty_pad_is_an_invitation_and_nobody_is_asked():
    given = answer.read(None, [])
    assert given.sentence == answer.INVITATION and given.short == given.sure == given.fault == ""
    assert given.image is given.probabilities is given.best is None


def test_strokes_are_drawn_with_the_pen_on_the_pad_and_read():
    asked, strokes = [], synthetic.example_strokes(7, size=answer.SIDE)

    def predict(image):
        asked.append(image)
        return sure_of(0.9)

    for pen in answer.PENS:
        given = answer.read(predict, strokes, pen)
        bitmap = ink.draw_strokes(strokes, answer.SIDE, pen)
        assert (given.image == ink.to_mnist(bitmap)).all() and given.image is asked[-1]
        assert given.best == 7 and given.fault == ""
    thin, thick = asked
    assert (thin != thick).any()
    assert (answer.read(predict, strokes).image == ink.to_mnist(ink.draw_strokes(strokes))).all()


def test_what_cannot_be_read_or_fails_is_told_and_not_raised():
    def fail(image):
        raise RuntimeError("no model yet\nwith a long story")

    scribble = [[(0, y), (answer.SIDE, y)] for y in range(0, answer.SIDE + 1, 10)]
    full = answer.read(fail, scribble, answer.PENS[1])
    assert full.sentence.startswith("Nothing to read: ") and full.image is None
    failed = answer.read(fail, synthetic.example_strokes(7))
    assert failed.sentence == "predict failed with RuntimeError: no model yet"
    assert failed.image is not None and failed.best is None and failed.short == ""


@pytest.mark.parametrize(
    "values, told",
    [
        (np.ones((1, 10)), r"shape \(10,\), not \(1, 10\)"),
        (np.full(10, np.nan), "0..1, not from nan"),
        (np.arange(10), "0..1, not from 0.0 to 9.0"),
        (sure_of(1.01), "0..1, not from"),
        (np.full(10, -0.01), "0..1, not from -0.01"),
    ],
)
def test_what_are_not_ten_probabilities_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        answer.ten(values)
    assert answer.ten(list(sure_of(0.6))).dtype == float


def test_pens_of_all_pads_lie_within_the_pad():
    thinnest, thickest = answer.PENS
    assert 0 < thinnest < answer.PEN < thickest < answer.SIDE
