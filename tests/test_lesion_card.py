"""The lesion card on drawn lesions whose answers are known, and on odd images."""

import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from dermfeat import Lesion, LesionImageError, LesionReader
from dermfeat.datasets import draw_lesion
from dermfeat.evaluation import LesionCard, lesion_card
from dermfeat.measures.asymmetry import asymmetry, least_asymmetric_axes
from dermfeat.measures.border import abrupt_directions, border
from dermfeat.measures.scores import total_dermoscopy_score

NASTY = '<img src=x onerror=alert(1)> & "quotes" $x_1$.png'
NOTE = "For research and education, not for diagnosis."


@pytest.fixture(scope="module")
def card():
    image, mask, _ = draw_lesion(
        (240, 320), colors=("light_brown", "dark_brown", "black"), network=0.5, dots=20, globules=6, random_state=3
    )
    return lesion_card((image, mask), name=NASTY)


def png(card):
    """Return the card's picture as array, by way of its file."""
    file = io.BytesIO()
    card.figure().savefig(file, format="png")
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def check(card):
    """Check what holds for every card."""
    values = card.values
    assert all(np.isfinite(v) for v in values.values() if isinstance(v, (int, float)))
    assert {type(v) for v in values.values()} <= {int, float, bool, str}
    parts = (values[letter] for letter in "ABCD")
    assert values["TDS"] == pytest.approx(total_dermoscopy_score(*parts))
    assert values["note"] == NOTE
    assert all(isinstance(text, str) for row in card.rows() for text in row)
    return values


def test_values_of_a_drawn_lesion(card):
    values = check(card)
    assert values["image"] == NASTY
    assert values["is_fallback"] is False
    assert values["C"] == 3
    shares = {key: value for key, value in values.items() if key.startswith("C_")}
    assert {key for key, share in shares.items() if share > 0.05} == {
        "C_light_brown_share", "C_dark_brown_share", "C_black_share",
    }  # fmt: skip
    assert values["skin_tone"] == "light"
    assert 35 < values["skin_ita"] < 55
    assert values["TDS_band"] in ("benign", "suspicious", "highly suspicious")
    assert "seven_point_score" in values
    assert not any("vessels" in key for key in values)


def test_short_representation(card):
    assert repr(card) == f"LesionCard({NASTY!r}, TDS {card.values['TDS']:.2f}, {card.values['TDS_band']})"


def test_picture_opens_and_shows_something_in_each_panel(card, tmp_path):
    card.save(tmp_path / "card.png")
    with Image.open(tmp_path / "card.png") as image:
        assert image.format == "PNG"
        assert 1000 <= image.width <= 1400
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for window in (np.s_[95:480, 35:540], np.s_[95:420, 585:910], np.s_[95:420, 940:1265], np.s_[550:830, 585:870]):
        assert pixels[window].std() > 5
    assert (np.abs(pixels[95:420, 585:910] - (41, 31, 30)).max(axis=2) < 3).any(), "black is painted in its own colour"


def boxes(figure):
    """Return the place of every text and map of a figure, in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [t for t in figure.texts if t.get_text()]
    texts += [t for legend in figure.legends for t in legend.get_texts()]
    maps = [axes for axes in figure.axes if axes.images]
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    return found + [("a map", axes.get_window_extent()) for axes in maps]


@pytest.mark.parametrize("fallback", [True, False])
def test_nothing_overlaps_and_nothing_leaves_the_page(fallback):
    image, mask, _ = draw_lesion(
        (240, 320), colors=("white", "red", "light_brown", "dark_brown", "blue_gray", "black"), network=0.9, dots=80,
        globules=20, streaks=20, structureless=0.4, border_softness=0.0, asymmetry=1, skin_ita=34, random_state=1,
    )  # fmt: skip
    card = LesionCard(Lesion(image, mask, is_fallback=fallback), "a long name " * 20)
    assert card.values["skin_tone"] == "intermediate", "the longest of its names"
    places = boxes(card.figure())
    assert len(places) > 40
    for i, (text, box) in enumerate(places):
        assert 0 <= box.x0 < box.x1 <= 1300, text
        assert 0 <= box.y0 < box.y1 <= 930, text
        for other, second in places[i + 1 :]:
            width = min(box.x1, second.x1) - max(box.x0, second.x0)
            height = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert width <= 1 or height <= 1, f"{text!r} lies on {other!r}"


class Page(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_html_is_self_contained_escaped_and_accessible(card):
    html = card._repr_html_()
    page = Page(html)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 1
    assert images[0]["src"].startswith("data:image/png;base64,")
    assert NASTY in images[0]["alt"]
    assert "onerror" not in images[0]
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://", html)
    assert NASTY in page.text
    assert NOTE in page.text
    headers = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert headers == ["col"] * 3 + ["row"] * len(card.rows())
    for what, value, _ in card.rows():
        assert what in page.text
        assert value in page.text


@pytest.mark.parametrize("size", [(64, 64), (300, 1200), (900, 120), (480, 640)])
def test_odd_sizes(size):
    image, mask, _ = draw_lesion(size)
    for reference in (image, (image, mask)):
        card = lesion_card(reference)
        check(card)
        assert png(card).shape == (930, 1300, 3)


def test_gray_images_bytes_and_pil_images():
    image, mask, _ = draw_lesion()
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    file = io.BytesIO()
    Image.fromarray(gray).save(file, format="PNG")
    cards = [lesion_card(r, mask=mask) for r in (gray, Image.fromarray(gray), file.getvalue())]
    for card in cards:
        assert check(card) == cards[0].values
        assert card.values["image"] == "image"
    assert cards[0].values == lesion_card((gray, mask)).values


def test_a_file_is_called_by_its_name_alone(tmp_path):
    image, mask, _ = draw_lesion((64, 80))
    Image.fromarray(image).save(tmp_path / "lesion & co.png")
    assert lesion_card(tmp_path / "lesion & co.png", mask=mask).name == "lesion & co.png"
    assert lesion_card(str(tmp_path / "lesion & co.png"), mask=mask, name="mine").name == "mine"


@pytest.mark.parametrize("kind", ["constant", "black", "empty mask", "full mask"])
def test_where_no_lesion_is_found_the_card_says_so(kind):
    image = np.full((90, 120, 3), 0 if kind == "black" else 180, np.uint8)
    mask = {"empty mask": np.zeros((90, 120), bool), "full mask": np.ones((90, 120), bool)}.get(kind)
    card = lesion_card(image, mask=mask)
    values = check(card)
    assert values["is_fallback"] is True
    assert "no lesion found with confidence" in repr(card)
    assert "no lesion found with confidence" in card._repr_html_()
    assert "no lesion found with confidence" in [text.get_text() for text in card.figure().texts]


@pytest.mark.parametrize("window", [np.s_[40:41, 33:34], np.s_[20:60, 30:31], np.s_[:30, :45], np.s_[:, :60]])
def test_thin_tiny_and_cut_lesions(window):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    mask = np.zeros((90, 120), bool)
    mask[window] = True
    card = LesionCard(Lesion(image, mask))
    check(card)
    assert png(card).std() > 0


def test_unreadable_images_are_refused_by_name():
    with pytest.raises(LesionImageError, match=r"nowhere\.png: there is no such file"):
        lesion_card("nowhere.png")


def test_reader_is_used():
    image, _, _ = draw_lesion()
    left = np.zeros(image.shape[:2], bool)
    left[60:180, 40:160] = True
    card = lesion_card(image, reader=LesionReader(segmenter=lambda rgb: left, hair_removal=False))
    assert np.array_equal(card.lesion.mask, left)


def test_pyplot_stays_untouched():
    code = (
        "import sys, numpy as np; from dermfeat.evaluation.lesion_card import lesion_card;"
        "lesion_card(np.full((64, 64, 3), 90, np.uint8)).figure(); print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("seed", range(6))
def test_axes_and_eighths_are_those_that_were_counted(seed):
    image, mask, _ = draw_lesion(
        (200, 240), asymmetry=seed / 5, border_softness=0.01 * seed, colors=("light_brown", "black"), random_state=seed
    )
    lesion = Lesion(image, mask)
    angle, differs = least_asymmetric_axes(lesion)
    assert 0 <= angle < 90
    assert differs.any(axis=1).sum() == asymmetry(lesion)["asymmetry_score"]
    abrupt, seen = abrupt_directions(lesion)
    assert 8 * abrupt[seen].mean() == pytest.approx(border(lesion)["border_score"])


@pytest.mark.parametrize("angle", [0, 20, 65])
def test_axes_of_a_long_ellipse_follow_it(angle):
    _, mask, _ = draw_lesion((240, 240), axes=(90, 45), angle=angle)
    image = np.where(mask[..., None], np.uint8([120, 70, 50]), np.uint8([220, 180, 160]))
    found, differs = least_asymmetric_axes(Lesion(image, mask))
    assert min((found - angle) % 90, (angle - found) % 90) <= 5
    assert not differs.any()


def test_abrupt_directions_point_at_the_sharp_side():
    y, x = np.mgrid[:200, :200] - 99.5
    radius = np.hypot(y, x)
    soft = np.clip((90 - radius) / 60, 0, 1)
    shade = np.where(x > 0, radius < 60, soft)
    image = np.repeat((220 - 150 * shade)[..., None], 3, axis=2).astype(np.uint8)
    abrupt, seen = abrupt_directions(Lesion(image, radius < 60))
    assert seen.all()
    assert abrupt[[0, 1, 71, 9, 63]].all()
    assert not abrupt[[36, 35, 37, 27, 45]].any()
    assert sum(one != other for one, other in pairwise(abrupt)) <= 2
