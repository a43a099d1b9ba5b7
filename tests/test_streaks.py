"""Streaks and blotches: what is drawn is found, what is not is not, and on real images the figures keep."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lesion_changes import AWKWARD, TURNS, awkward, changed, compare, dimmed, documented, gray, resized, spoilt
from scipy.stats import spearmanr

from dermfeat import Lesion, LesionReader
from dermfeat.datasets import draw_lesion
from dermfeat.measures.blotches import blotches, find_blotches
from dermfeat.measures.dots_globules import dots_and_globules
from dermfeat.measures.streaks import find_streaks, streaks

SIZE = (384, 512)
SEEDS = range(3)
SIDE = 320
Y, X = np.mgrid[:SIDE, :SIDE] - 159.5
RADIUS, ANGLE = np.hypot(Y, X), np.degrees(np.arctan2(Y, X)) % 360
DISC = RADIUS < 110


def measured(lesion):
    return {**streaks(lesion), **blotches(lesion)}


def drawn(seed=0, size=SIZE, **parameters):
    image, mask, _ = draw_lesion(size, random_state=seed, **parameters)
    return Lesion(image, mask)


def plain(lightness, skin=70, **parts):
    """Return a lesion of a given L* on skin, blurred like a photo."""
    image = np.where(DISC, gray(np.asarray(lightness, float)), gray(np.asarray(skin, float)))
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    return Lesion(np.repeat(np.round(soft).astype(np.uint8)[..., None], 3, axis=2), DISC, **parts)


def lines(angles, inner=80, outer=106, width=5.0, slant=0.0):
    """Return where lines run outwards at angles in degrees, turned by `slant` from the radial direction."""
    found = np.zeros((SIDE, SIDE), bool)
    for angle in np.radians(angles):
        middle = (inner + outer) / 2 * np.array([np.sin(angle), np.cos(angle)])
        way = np.array([np.sin(angle + np.radians(slant)), np.cos(angle + np.radians(slant))])
        along = (Y - middle[0]) * way[0] + (X - middle[1]) * way[1]
        across = (Y - middle[0]) * way[1] - (X - middle[1]) * way[0]
        found |= (np.abs(along) <= (outer - inner) / 2) & (np.abs(across) <= width / 2)
    return found


def dark(where, by=12.0):
    return plain(45 - by * where)


class TestKnownLines:
    @pytest.mark.parametrize("number", [1, 3, 8, 24])
    def test_are_counted_and_cover_the_ring(self, number):
        where = lines(np.arange(number) * 360 / number + 3)
        lesion = dark(where)
        found = streaks(lesion)
        assert found["streaks_count"] == number
        ring = DISC & (lesion.signed_distance < 0.15 * 220)
        assert found["streaks_share"] == pytest.approx(where.sum() / ring.sum(), rel=0.1)
        assert found["streaks_sectors"] == pytest.approx(min(number / 8, 1), abs=0.02)
        assert found["streaks_contrast"] == pytest.approx(0.73 * 12, rel=0.1), "a thin line is blurred"
        assert ((find_streaks(lesion) > 0) & where).sum() > 0.7 * where.sum()

    def test_unevenness(self):
        found = [streaks(dark(lines(angles))) for angles in (np.arange(0, 360, 15), np.arange(0, 180, 15), [30])]
        irregularity = [one["streaks_irregularity"] for one in found]
        assert irregularity == pytest.approx([0, 0.4, 0.875], abs=0.06)
        # twelve streaks over 165 degrees reach windows of 45 over 210
        assert [one["streaks_sectors"] for one in found] == pytest.approx([1, 210 / 360, 45 / 360], abs=0.03)

    @pytest.mark.parametrize("slant", [-20, 20])
    def test_may_be_slanted(self, slant):
        assert streaks(dark(lines(np.arange(0, 360, 45), slant=slant)))["streaks_count"] == 8

    @pytest.mark.parametrize(
        "lesion",
        {
            "nothing": lambda: plain(45),
            "along the rim": lambda: dark(np.abs(RADIUS - 95) < 2.5),
            "short": lambda: dark(lines(np.arange(0, 360, 45), 95, 103)),
            "central": lambda: dark(lines(np.arange(0, 360, 45), 20, 60)),
            "faint": lambda: dark(lines(np.arange(0, 360, 45)), by=2),
            "light": lambda: dark(lines(np.arange(0, 360, 45)), by=-12),
            "broad": lambda: dark(lines(np.arange(0, 360, 45), width=40)),
            "slanted": lambda: dark(lines(np.arange(0, 360, 45), 85, 105, slant=75)),
            "across": lambda: plain(45 - 12 * lines([0, 90, 180], 80, 150), 70 - 37 * lines([0, 90, 180], 80, 150)),
            "hair": lambda: plain(45 - 12 * lines([0, 90, 180]), hair=lines([0, 90, 180], 60, 120, width=7)),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_other_things_are_none(self, lesion):
        found = streaks(lesion[1]())
        assert set(found.values()) == {0.0}

    def test_thresholds(self):
        lesion = dark(lines(np.arange(0, 360, 45)))
        assert streaks(lesion, contrast=20)["streaks_count"] == 0
        assert streaks(lesion, length=0.3)["streaks_count"] == 0
        assert streaks(lesion, ring=0.03)["streaks_count"] == 0
        assert streaks(lesion)["streaks_count"] == 8


class TestDrawnStreaks:
    def test_counts_rise_with_what_is_drawn(self):
        numbers = (0, 3, 8, 15, 30, 60)
        rows = [[streaks(drawn(seed, streaks=n))["streaks_count"] for n in numbers] for seed in SEEDS]
        assert np.all(np.diff(rows) > 0)
        assert np.all(np.abs(np.array(rows) - numbers) <= 4)
        assert spearmanr(np.ravel(rows), np.tile(numbers, len(rows))).statistic > 0.95

    def test_what_is_drawn_is_found(self):
        found = missed = false = 0
        for seed in SEEDS:
            bare, streaky = drawn(seed), drawn(seed, streaks=20)
            change = np.abs(streaky.lab[..., 0] - bare.lab[..., 0]) > 4
            labels = find_streaks(streaky)
            drawn_labels = cv2.connectedComponents(change.astype(np.uint8))[1]
            hit = set(drawn_labels[(labels > 0) & change]) - {0}
            found += len(hit)
            missed += drawn_labels.max() - len(hit)
            false += labels.max() - len(set(labels[change]) - {0})
        assert found / (found + missed) > 0.85
        assert found / (found + false) > 0.85

    @pytest.mark.parametrize(
        ("other", "most"),
        [
            ({"dots": 120}, 3),
            ({"globules": 60}, 3),
            ({"network": 0.5}, 5),
            ({"hairs": 10}, 1),
            ({"hairs": 40}, 2),
            ({"hairs": 80}, 3),
            ({"structureless": 0.5}, 1),
            ({"border_irregularity": 1.0}, 6),
            ({"asymmetry": 1.0}, 2),
        ],
        ids=str,
    )
    def test_other_structures_are_none(self, other, most):
        more = []
        for seed in range(4):
            image, mask, _ = draw_lesion(SIZE, random_state=seed, **other)
            found = streaks(LesionReader().prepare(image, mask)), streaks(drawn(seed))
            more.append(found[0]["streaks_count"] - found[1]["streaks_count"])
        assert np.mean(more) <= most

    @pytest.mark.parametrize("size", [(224, 224), SIZE])
    def test_none_in_noise_and_artefacts_of_jpeg(self, size):
        for seed in SEEDS:
            for lesion in spoilt(size, seed):
                assert streaks(lesion)["streaks_count"] <= 1


class TestBlotches:
    @pytest.mark.parametrize(("y", "x", "radius"), [(0, 0, 60), (0, 45, 50), (-40, 30, 45)])
    def test_a_dark_disc(self, y, x, radius):
        where = np.hypot(Y - y, X - x) < radius
        lesion = plain(50 - 28 * where)
        found = blotches(lesion)
        assert found["blotch_share"] == pytest.approx((radius / 110) ** 2, rel=0.12)
        assert found["blotch_offset"] == pytest.approx(np.hypot(y, x) / 220, abs=0.02)
        assert found["blotch_count"] == 1
        both = (find_blotches(lesion) & where).sum() / (find_blotches(lesion) | where).sum()
        assert both > 0.88

    def test_two(self):
        where = np.hypot(Y, np.abs(X) - 55) < 42
        found = blotches(plain(50 - 28 * where))
        assert found["blotch_count"] == 2
        assert found["blotch_offset"] < 0.01
        assert found["blotch_share"] == pytest.approx(2 * (42 / 110) ** 2, rel=0.15)

    def test_a_lesion_dark_all_over_is_one(self):
        found = blotches(plain(22))
        assert found["blotch_share"] > 0.85
        assert found["blotch_offset"] < 0.01

    @pytest.mark.parametrize(
        "lightness",
        {
            "brown": lambda: 45,
            "small": lambda: 50 - 28 * (RADIUS < 30),
            "thin": lambda: 50 - 28 * (np.abs(RADIUS - 60) < 3),
            "lighter than skin": lambda: 90 + 0 * X,
            "network": lambda: 25 - 15 * ((X % 10 < 4) | (Y % 10 < 4)),
            "globules": lambda: 28 - 18 * (np.hypot(X % 14 - 7, Y % 14 - 7) < 4),
        }.items(),
        ids=lambda item: item[0],
    )
    def test_other_things_are_none(self, lightness):
        assert set(blotches(plain(lightness[1]())).values()) == {0.0}

    def test_thresholds(self):
        lesion = plain(50 - 28 * (RADIUS < 60))
        assert blotches(lesion, least=0.5)["blotch_share"] == 0
        assert blotches(lesion, depth=0.8)["blotch_share"] == 0
        assert blotches(plain(50 - 10 * (RADIUS < 60)), depth=0.4)["blotch_share"] > 0.2

    def test_grow_with_what_is_drawn(self):
        for seed in range(4):
            shares = []
            for share in (0, 0.2, 0.4, 0.6):
                colors = {"colors": ("light_brown", "black"), "color_shares": (1 - share, share), "texture": 0.0}
                image, mask, truth = draw_lesion(SIZE, random_state=seed, **colors)
                core = cv2.erode((truth["color_map"] == 2).astype(np.uint8), np.ones((11, 11), np.uint8))
                areas = cv2.connectedComponentsWithStats(core)[2][1:, 4]  # as its soft edge hides bridges
                large = areas[areas > 0.1 * mask.sum()].sum() / mask.sum()
                shares.append(blotches(Lesion(image, mask))["blotch_share"])
                assert 0.95 * large <= shares[-1] <= share + 0.02
            assert shares[0] == 0
            assert np.all(np.diff(shares) >= 0)

    @pytest.mark.parametrize("other", [{"dots": 120}, {"globules": 40}, {"network": 1.0}, {"streaks": 60}], ids=str)
    def test_other_structures_are_none(self, other):
        for seed in SEEDS:
            assert blotches(drawn(seed, colors=("light_brown",), **other))["blotch_share"] == 0


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("size", [(250, 300), (700, 800)])
def test_turned_and_flipped(turn, size):
    lesion = drawn(2, size, streaks=20, colors=("light_brown", "black"))
    one, other = measured(lesion), measured(changed(lesion, TURNS[turn]))
    assert one["streaks_count"] > 10
    assert one["blotch_share"] > 0.1
    assert other == pytest.approx(one, rel=2e-3, abs=2e-3)


class TestPhotos:
    @pytest.mark.parametrize("turn", TURNS)
    def test_turned_and_flipped(self, isic_photos, turn):
        for key, (one, other) in compare(measured, isic_photos, lambda photo: changed(photo, TURNS[turn])).items():
            assert other == pytest.approx(one, rel=2e-3, abs=2e-3), key

    @pytest.mark.parametrize("gain", [(0.85, 0.85, 0.85), (1.0, 0.93, 1.05)], ids=["darker", "cast"])
    def test_exposure_and_cast(self, isic_photos, gain):
        found = compare(measured, isic_photos, lambda photo: dimmed(photo, gain))
        assert np.abs(np.subtract(*found["streaks_count"])).mean() < 0.6
        assert spearmanr(*found["streaks_share"]).statistic > 0.8
        assert np.median(np.abs(np.subtract(*found["blotch_share"]))) < 0.02
        assert np.abs(np.subtract(*found["blotch_share"])).mean() < 0.05

    def test_scale(self, isic_photos):
        for factor, correlation in ((2, 0.75), (0.5, 0.5)):
            found = compare(measured, isic_photos, lambda photo, factor=factor: resized(photo, factor))
            assert spearmanr(*found["streaks_share"]).statistic > correlation
            assert np.abs(np.subtract(*found["blotch_share"])).mean() < 0.03


@pytest.mark.parametrize("shape", AWKWARD)
@pytest.mark.parametrize("content", ["constant", "noise", "black"])
def test_awkward_masks_give_documented_values(shape, content):
    found = measured(awkward(shape, content))
    ranges = documented(streaks, blotches)
    assert set(found) == set(ranges)
    for name, value in found.items():
        assert isinstance(value, float), name
        assert ranges[name][0] <= value <= ranges[name][1], name
        assert np.isfinite(value), name


def test_a_comb_too_fine_for_the_reduced_grid():
    mask = np.zeros((600, 600), bool)
    mask[50:550, 50:550:3] = mask[50, 50:550] = True
    image = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    assert np.isfinite(list({**measured(Lesion(image, mask)), **dots_and_globules(Lesion(image, mask))}.values())).all()


@settings(max_examples=25, deadline=None)
@given(mask=arrays(bool, (64, 70)), hair=arrays(bool, (64, 70)), scale=st.integers(1, 4), seed=st.integers(0, 99))
def test_any_mask_gives_finite_numbers(mask, hair, scale, seed):
    image = np.random.default_rng(seed).integers(0, 256, (64, 70, 3), dtype=np.uint8)
    image, mask, hair = (part.repeat(scale, axis=0).repeat(scale, axis=1) for part in (image, mask, hair))
    found = measured(Lesion(image, mask, hair=hair, field=~hair))
    assert np.isfinite(list(found.values())).all()
