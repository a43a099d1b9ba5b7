"""Dots and globules: what is drawn is found, what is not is not, and on real images the figures keep."""

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
from dermfeat.measures.detail import detail
from dermfeat.measures.dots_globules import dots_and_globules, find_blobs

SIZE = (384, 512)
SEEDS = range(3)
SIDE = 320
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)
DISC = np.hypot(Y - 159.5, X - 159.5) < 110


def drawn(seed=0, size=SIZE, **parameters):
    image, mask, _ = draw_lesion(size, random_state=seed, **parameters)
    return Lesion(image, mask)


def counts(lesion):
    found = dots_and_globules(lesion)
    return found["dots_count"], found["globules_count"]


def plain(lightness):
    """Return the lesion on skin of L* 70 whose own L* is given, blurred like a photo."""
    image = np.where(DISC, gray(np.asarray(lightness, float)), gray(70))
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    return Lesion(np.repeat(np.round(soft).astype(np.uint8)[..., None], 3, axis=2), DISC)


def with_discs(points, radius, darker=15):
    spots = np.zeros((SIDE, SIDE), bool)
    for y, x in points:
        spots |= np.hypot(Y - y, X - x) < radius
    return plain(np.where(spots, 45 - darker, 45))


GRID = [(y, x) for y in range(100, 240, 40) for x in range(100, 240, 40)]


class TestKnownDiscs:
    @pytest.mark.parametrize("radius", [2, 3, 4, 5, 6])
    def test_are_found_at_their_place_with_their_size_and_contrast(self, radius):
        blobs = find_blobs(with_discs(GRID, radius))
        assert len(blobs) == len(GRID)
        distance = np.hypot(*(blobs[:, None, :2] - np.array(GRID)).transpose(2, 0, 1)).min(axis=1)
        assert distance.max() < 1
        covered = np.sqrt((np.hypot(Y - 160, X - 160) < radius).sum() / np.pi)
        assert blobs[:, 2] == pytest.approx(np.full(len(GRID), covered), rel=0.25)
        if radius > 2:  # blur takes some of the smallest ones' contrast
            assert blobs[:, 3] == pytest.approx(np.full(len(GRID), 15), rel=0.25)

    def test_are_told_apart_by_size(self):
        small, large = 0.01 * 220, 0.025 * 220
        assert counts(with_discs(GRID, small)) == (16, 0)
        assert counts(with_discs(GRID, large)) == (0, 16)
        assert counts(with_discs(GRID, large * 2)) == (0, 0)

    def test_share_and_variation(self):
        found = dots_and_globules(with_discs(GRID, 5))
        assert found["globules_share"] == pytest.approx(16 * 25 / 110**2, rel=0.3)
        assert found["blobs_size_variation"] < 0.1
        both = np.minimum(with_discs(GRID[::2], 5).image, with_discs(GRID[1::2], 2).image)
        assert dots_and_globules(Lesion(both, DISC))["blobs_size_variation"] > 0.3

    def test_place(self):
        middle = dots_and_globules(with_discs(GRID, 4))
        assert middle["blobs_offset"] < 0.06  # the grid's centre lies half a cell from the lesion's
        side = dots_and_globules(with_discs([(y, x) for y, x in GRID if y < 130], 4))
        assert side["blobs_offset"] == pytest.approx(59.5 / 220, abs=0.05)
        angle = np.radians(np.arange(0, 360, 30))
        for distance, share in ((40, 0), (95, 1)):
            ring = np.column_stack([159.5 + distance * np.sin(angle), 159.5 + distance * np.cos(angle)])
            assert dots_and_globules(with_discs(ring, 4))["blobs_outer_share"] == share

    def test_faint_ones_do_not_count(self):
        assert len(find_blobs(with_discs(GRID, 4, darker=3))) == 0
        assert len(find_blobs(with_discs(GRID, 4, darker=-15))) == 0, "bright spots"
        assert len(find_blobs(with_discs(GRID, 4, darker=15), contrast=30)) == 0

    def test_hidden_by_hair(self):
        lesion = with_discs(GRID, 4)
        hidden = Lesion(lesion.image, lesion.mask, hair=X > 150)
        assert len(find_blobs(hidden)) == 8

    def test_agrees_with_laplacian_of_gaussians(self):
        from skimage.feature import blob_log

        image, mask, _ = draw_lesion(SIZE, globules=25, texture=0.0, random_state=1)
        lesion = Lesion(image, mask)
        view = lesion.once(detail)
        dark = (90 - np.clip(view.lightness, 0, 90)) / 90
        peer = blob_log(dark, min_sigma=2, max_sigma=7, num_sigma=12, threshold=0.06)
        peer = peer[view.depth[peer[:, 0].astype(int), peer[:, 1].astype(int)] > 0.02 * view.diameter]
        ours = find_blobs(lesion)
        assert len(ours) >= 20
        nearest = np.hypot(*(ours[:, None, :2] - view.to_image(peer[:, :2])).transpose(2, 0, 1))
        assert nearest.min(axis=1).max() < 2
        ratio = ours[:, 2] / (np.sqrt(2) * peer[nearest.argmin(axis=1), 2])
        assert np.median(ratio) == pytest.approx(1, abs=0.2)


class TestNoBlobs:
    @pytest.mark.parametrize(
        "pattern",
        {
            "nothing": lambda: 0 * X,
            "lines": lambda: 15 * ((X + Y) % 24 < 3),
            "bars": lambda: 15 * ((X % 32 < 4) & (Y % 40 < 24)),
            "grid": lambda: 15 * ((X % 24 < 3) | (Y % 24 < 3)),
            "crossing": lambda: 15 * ((abs(X - Y) < 3) | (abs(X + Y - 319) < 3) | (abs(X - 160) < 3)),
            "bright holes": lambda: -15 * (np.hypot(X % 16 - 8, Y % 16 - 8) < 5),
            "steps": lambda: 15 * ((X // 60 + Y // 60) % 2),
            "slope": lambda: X / 10,
        }.items(),
        ids=lambda item: item[0],
    )
    def test_in_patterns(self, pattern):
        blobs = find_blobs(plain(45 - pattern[1]()))
        inside = np.hypot(*(blobs[:, :2] - 159.5).T) < 95  # where the lesion's edge cuts lines, ends are left
        assert inside.sum() == 0

    @pytest.mark.parametrize("size", [(224, 224), SIZE])
    def test_in_noise_and_artefacts_of_jpeg(self, size):
        for seed in SEEDS:
            for lesion in spoilt(size, seed):
                assert len(find_blobs(lesion)) <= 1

    def test_below_what_can_be_resolved(self):
        assert len(find_blobs(drawn(globules=60, size=(80, 80)))) == 0


class TestDrawnLesions:
    @pytest.mark.parametrize(("kind", "number"), [("dots", 40), ("globules", 20)])
    def test_what_is_drawn_is_found(self, kind, number):
        found = missed = false = 0
        for seed in SEEDS:
            bare, spotted = drawn(seed), drawn(seed, **{kind: number})
            change = np.abs(spotted.lab[..., 0] - bare.lab[..., 0]) > 4
            centres = cv2.connectedComponentsWithStats(change.astype(np.uint8))[3][1:, ::-1]
            blobs = find_blobs(spotted)
            near = np.hypot(*(centres[:, None] - blobs[:, :2]).transpose(2, 0, 1)) < 4
            found += near.any(axis=1).sum()
            missed += (~near.any(axis=1)).sum()
            false += (~near.any(axis=0)).sum()
        assert found / (found + missed) > 0.9
        assert found / (found + false) > 0.85

    @pytest.mark.parametrize(("kind", "numbers"), [("dots", (0, 10, 40, 120)), ("globules", (0, 5, 15, 30, 60))])
    def test_counts_rise_with_what_is_drawn(self, kind, numbers):
        rows = []
        for seed in SEEDS:
            found = [dots_and_globules(drawn(seed, **{kind: number}))[f"{kind}_count"] for number in numbers]
            assert np.all(np.diff(found) > 0)
            assert found[-1] - found[0] == pytest.approx(numbers[-1], rel=0.25)
            rows.append(found)
        assert spearmanr(np.ravel(rows), np.tile(numbers, len(rows))).statistic > 0.9

    @pytest.mark.parametrize(
        ("other", "dots", "globules"),
        [
            ({"network": 0.5}, 3, 2),
            ({"network": 1.0}, 8, 5),
            ({"streaks": 30}, 4, 4),
            ({"hairs": 30}, 3, 2),
            ({"border_irregularity": 1.0}, 2, 2),
            ({"structureless": 0.5}, 2, 2),
            ({"colors": ("light_brown", "dark_brown", "black", "blue_gray")}, 2, 2),
        ],
        ids=str,
    )
    def test_other_structures_are_no_blobs(self, other, dots, globules):
        """A full network has several hundred nodes."""
        more = []
        for seed in SEEDS:
            image, mask, _ = draw_lesion(SIZE, random_state=seed, **other)
            more.append(np.subtract(counts(LesionReader().prepare(image, mask)), counts(drawn(seed))))
        assert np.all(np.mean(more, axis=0) <= (dots, globules))

    def test_a_few_hundred_dots_are_no_globules(self):
        for seed in SEEDS:
            assert counts(drawn(seed, dots=120))[1] <= 6
            assert counts(drawn(seed, globules=60))[0] <= counts(drawn(seed))[0]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("size", [(250, 300), (700, 800)])
def test_turned_and_flipped(turn, size):
    lesion = drawn(2, size, dots=30, globules=12, network=0.5)
    one, other = dots_and_globules(lesion), dots_and_globules(changed(lesion, TURNS[turn]))
    assert one["dots_count"] > 5
    assert other == pytest.approx(one, rel=1e-3, abs=1e-4)


class TestPhotos:
    @pytest.mark.parametrize("turn", TURNS)
    def test_turned_and_flipped(self, isic_photos, turn):
        found = compare(dots_and_globules, isic_photos, lambda photo: changed(photo, TURNS[turn]))
        same = [np.isclose(other, one, rtol=1e-3, atol=1e-4) for one, other in found.values()]
        assert (~np.all(same, axis=0)).sum() <= 1, "rounding may tip a blob that lies on a threshold"
        for key in ("dots_count", "globules_count"):
            assert np.abs(np.subtract(*found[key])).max() <= 1

    @pytest.mark.parametrize("gain", [(0.85, 0.85, 0.85), (1.0, 0.93, 1.05)], ids=["darker", "cast"])
    def test_exposure_and_cast(self, isic_photos, gain):
        found = compare(dots_and_globules, isic_photos, lambda photo: dimmed(photo, gain))
        assert found["globules_count"][0].sum() > 10
        for key in ("dots_count", "globules_count"):
            one, other = found[key]
            assert np.abs(one - other).mean() <= 0.15 * one.mean() + 0.3, key
        assert spearmanr(*found["globules_share"]).statistic > 0.85

    def test_scale(self, isic_photos):
        twice = compare(dots_and_globules, isic_photos, lambda photo: resized(photo, 2))
        assert spearmanr(*twice["globules_share"]).statistic > 0.7
        assert np.abs(np.subtract(*twice["globules_share"])).mean() < 0.005
        half = compare(dots_and_globules, isic_photos, lambda photo: resized(photo, 0.5))
        one, other = half["globules_share"]
        assert spearmanr(one, other).statistic > 0.5
        assert 0 < other.mean() <= one.mean(), "what is too coarse to be seen is left out, never made up"
        assert half["dots_count"][1].mean() <= half["dots_count"][0].mean() + 0.2, "too coarse for dots"


@pytest.mark.parametrize("shape", AWKWARD)
@pytest.mark.parametrize("content", ["constant", "noise", "black"])
def test_awkward_masks_give_documented_values(shape, content):
    found = dots_and_globules(awkward(shape, content))
    ranges = documented(dots_and_globules)
    assert set(found) == set(ranges)
    for name, value in found.items():
        assert isinstance(value, float), name
        assert ranges[name][0] <= value <= ranges[name][1], name
        assert np.isfinite(value), name


@settings(max_examples=25, deadline=None)
@given(mask=arrays(bool, (64, 70)), hair=arrays(bool, (64, 70)), scale=st.integers(1, 4), seed=st.integers(0, 99))
def test_any_mask_gives_finite_numbers(mask, hair, scale, seed):
    image = np.random.default_rng(seed).integers(0, 256, (64, 70, 3), dtype=np.uint8)
    image, mask, hair = (part.repeat(scale, axis=0).repeat(scale, axis=1) for part in (image, mask, hair))
    found = dots_and_globules(Lesion(image, mask, hair=hair, field=~hair))
    assert np.isfinite(list(found.values())).all()
