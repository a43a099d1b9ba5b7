"""Pigment network and structureless areas: drawn meshes of known make, drawn lesions, real images."""

import csv
import re

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import spearmanr
from skimage.filters import rank, sato
from skimage.morphology import disk

from dermfeat import LesionReader
from dermfeat.datasets import draw_lesion
from dermfeat.lesion import Lesion
from dermfeat.measures.detail import detail
from dermfeat.measures.network_holes import FINE, dark_ridges
from dermfeat.measures.network_pattern import find_network, pigment_network
from dermfeat.measures.structureless import find_structureless, local_deviation, structureless_area

SIDE = 400
DIAMETER = 256
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
DISC = np.hypot(Y, X) < DIAMETER / 2
LEVELS = 0.2, 0.4, 0.6, 0.8, 1.0


def measured(image, mask, **options):
    lesion = Lesion(image, mask, **options)
    return pigment_network(lesion) | structureless_area(lesion)


def drawn(seed=0, size=(384, 512), **options):
    """Draw a lesion whose own mottling, a mesh of furrows otherwise, is faint."""
    return draw_lesion(size, random_state=seed, **({"texture": 0.25} | options))


def share(seed=0, size=(384, 512), **options):
    image, mask, _ = drawn(seed, size, **options)
    return measured(image, mask)["network_share"]


def encoded(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def mesh(pitch, width, *, jitter=0.0, angle=0.1, depth=40, lesion=120, seed=0):
    """Draw a disc with the Voronoi edges of a hexagonal lattice as darker lines of a width in pixels."""
    rng = np.random.default_rng(seed)
    i, j = np.mgrid[-40:41, -40:41]
    points = pitch * np.stack([i + j / 2, j * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)
    points = (points + jitter * pitch * rng.uniform(-0.5, 0.5, points.shape)) @ [
        [np.cos(angle), -np.sin(angle)],
        [np.sin(angle), np.cos(angle)],
    ]
    near = points[(np.abs(points) < SIDE / 2 + pitch).all(axis=1)]
    distances, _ = cKDTree(near).query(np.stack([Y, X], axis=-1).reshape(-1, 2), k=2)
    # half the difference of the distances to both sides, nearly the distance to the edge between them
    edge = ((distances[:, 1] ** 2 - distances[:, 0] ** 2) / (2 * pitch)).reshape(SIDE, SIDE)
    line = np.clip(width / 2 - edge + 0.5, 0, 1)
    gray = np.where(DISC, lesion - depth * line, 190)
    return cv2.GaussianBlur(np.repeat(gray[..., None], 3, axis=2), (0, 0), 0.7).round().astype(np.uint8)


class TestKnownMeshes:
    @pytest.mark.parametrize("pitch", [9, 12, 16])
    @pytest.mark.parametrize("thick", [0.2, 0.35])
    def test_holes_lines_and_contrast(self, pitch, thick):
        found = measured(mesh(pitch, thick * pitch), DISC)
        assert found["network_share"] > 0.75
        cell = np.sqrt(4 / np.pi * np.sqrt(3) / 2) * pitch
        assert 0.4 * cell < found["network_hole_size"] * DIAMETER < 1.02 * cell
        blurred = np.hypot(thick * pitch, 2.355 * np.hypot(0.7, FINE * DIAMETER))
        width = found["network_line_width"] * DIAMETER
        assert blurred - 0.2 < width < blurred + 1.6  # the nodes where lines meet are wider
        light = cv2.cvtColor(np.float32([[[120 / 255] * 3, [80 / 255] * 3]]), cv2.COLOR_RGB2LAB)[0, :, 0]
        assert 0.3 * np.ptp(light) < found["network_contrast"] < 1.1 * np.ptp(light)

    def test_wider_lines_and_larger_meshes(self):
        widths = [measured(mesh(14, width), DISC)["network_line_width"] for width in (2, 3.5, 5, 6.5)]
        assert np.all(np.diff(widths) > 0)
        sizes = [measured(mesh(pitch, 3), DISC)["network_hole_size"] for pitch in (9, 11, 13, 16)]
        assert np.all(np.diff(sizes) > 0.003)

    def test_darker_lines(self):
        found = [measured(mesh(12, 3, depth=depth), DISC)["network_contrast"] for depth in (12, 25, 50, 75)]
        assert np.all(np.diff(found) > 1)

    def test_irregular_meshes(self):
        found = [measured(mesh(13, 3, jitter=jitter), DISC)["network_hole_irregularity"] for jitter in (0, 0.4, 0.8)]
        assert np.all(np.diff(found) > 0.01)
        assert found[-1] > 2 * found[0]

    def test_lines_of_several_colors(self):
        plain = mesh(12, 3)
        tinted = plain.copy()
        tinted[:, : SIDE // 2, 2] -= 40
        found = [measured(image, DISC)["network_color_variation"] for image in (plain, tinted)]
        assert found[1] > found[0] + 5

    def test_light_lines_round_dark_holes_are_none(self):
        assert measured(mesh(14, 8, depth=-40), DISC)["network_share"] < 0.05

    def test_rough_skin_hides_a_faint_mesh(self):
        image = mesh(12, 3, depth=12)
        grain = cv2.GaussianBlur(np.random.default_rng(0).standard_normal(DISC.shape), (0, 0), 2)
        rough = image + (~DISC * 10 * grain / grain.std())[..., None]
        found = [measured(np.clip(one, 0, 255).astype(np.uint8), DISC)["network_share"] for one in (image, rough)]
        assert found[0] > 0.5
        assert found[1] < 0.1

    def test_maps_belong_together(self):
        network = find_network(Lesion(mesh(12, 3), DISC))
        assert network.area.shape == network.lines.shape == network.holes.shape == DISC.shape
        assert network.area.sum() / DISC.sum() == pytest.approx(network.share, abs=0.02)
        assert not (network.lines & network.holes).any()
        assert network.lines.any()
        assert not (network.lines & ~network.area).any()
        assert cv2.connectedComponents(network.holes.astype(np.uint8), connectivity=4)[0] - 1 == len(network.contrasts)
        gray = mesh(12, 3)[..., 0]
        assert gray[network.holes].mean() > gray[network.lines].mean() + 20

    @pytest.mark.parametrize(
        "strict", [{"contrast": 0.9}, {"over_skin": 1e3}, {"neighbors": 99}, {"holes": 9999}], ids=str
    )
    def test_thresholds(self, strict):
        noise = np.random.default_rng(0).integers(-3, 4, (*DISC.shape, 1))
        lesion = Lesion((mesh(12, 3) + noise).astype(np.uint8), DISC)
        assert pigment_network(lesion)["network_share"] > 0.7
        assert set(pigment_network(lesion, **strict).values()) == {0.0}

    def test_ridges_as_scikit_image_finds_them(self):
        plane = mesh(12, 3)[..., 0].astype(np.float32)
        inner = np.s_[100:300, 100:300]
        theirs = sato(plane, sigmas=[2], black_ridges=True)[inner]
        ours = np.maximum(dark_ridges(plane, 2), 0)[inner]
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


class TestDrawnNetwork:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("size", [(384, 512), (200, 224)])
    def test_grows_with_what_is_drawn(self, seed, size):
        rows = []
        for network in (0, 0.25, 0.5, 0.75, 1):
            image, mask, _ = drawn(seed, size, network=network)
            rows.append(measured(image, mask))
        shares, contrasts = ([row[name] for row in rows] for name in ("network_share", "network_contrast"))
        assert shares[0] < 0.02
        assert shares[-1] > 0.25
        assert np.all(np.diff(shares) > -0.05)
        assert shares[2] > shares[0] + 0.15
        assert np.all(np.diff(contrasts)[1:] > 0.3)

    @pytest.mark.parametrize(
        "others",
        [
            {"dots": 100},
            {"globules": 30},
            {"globules": 80},
            {"streaks": 40},
            {"hairs": 150},
            {"noise": 5},
            {"noise": 12},
            {"noise": 25},
            {"blur": 3},
            {"dots": 60, "globules": 20, "streaks": 20, "hairs": 30, "noise": 5},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("size", [(384, 512), (200, 224)])
    def test_nothing_else_is_a_network(self, others, size):
        assert max(share(seed, size, **others) for seed in range(2)) < 0.05

    @pytest.mark.parametrize("quality", [30, 60])
    @pytest.mark.parametrize("noise", [0, 5])
    def test_jpeg_blocks_are_none(self, quality, noise):
        for seed in range(3):
            image, mask, _ = drawn(seed, noise=noise)
            assert measured(encoded(image, quality), mask)["network_share"] < 0.05

    @pytest.mark.parametrize("sigma", [1, 2, 3, 5])
    def test_textured_noise_is_none(self, sigma):
        image, mask, _ = drawn()
        grain = cv2.GaussianBlur(np.random.default_rng(sigma).standard_normal(mask.shape), (0, 0), sigma)
        rough = image + (8 * grain / grain.std())[..., None]
        assert measured(np.clip(rough, 0, 255).astype(np.uint8), mask)["network_share"] < 0.1

    def test_hidden_where_it_is_too_small_to_be_seen(self):
        image, mask, _ = drawn(network=1)
        found = []
        for side in (512, 256, 128, 64):
            small = cv2.resize(image, (side, side * 3 // 4), interpolation=cv2.INTER_AREA)
            where = cv2.resize(mask.astype(np.uint8), (side, side * 3 // 4), interpolation=cv2.INTER_NEAREST) > 0
            found.append(measured(small, where)["network_share"])
        assert found[0] > 0.6
        assert found[-1] == 0


class TestStructureless:
    @pytest.mark.parametrize("seed", range(2))
    @pytest.mark.parametrize("size", [(384, 512), (200, 224)])
    def test_follows_what_is_drawn(self, seed, size):
        found = []
        for level in (0.0, *LEVELS):
            image, mask, truth = draw_lesion(
                size, random_state=seed, structureless=level, colors=("light_brown",), network=0.5
            )
            lesion = Lesion(image, mask)
            bare = lesion.once(find_structureless)
            found.append(structureless_area(lesion)["structureless_share"])
            if level:
                assert (bare & truth["structureless_mask"]).sum() > 0.95 * bare.sum()
        assert found[0] < 0.02
        assert np.all(np.diff(found) > 0)
        assert found[-1] > 0.9
        assert found == pytest.approx([0, *LEVELS], abs=0.2)

    def test_largest_area(self):
        image = mesh(12, 3)
        plain = np.hypot(Y, X + 45) < 45
        small = np.hypot(Y, X - 70) < 25
        image[plain | small] = 115
        found = measured(image, DISC)
        ratio = plain.sum() / (plain | small).sum()
        assert found["structureless_largest_share"] == pytest.approx(ratio * found["structureless_share"], rel=0.15)

    @pytest.mark.parametrize("noise", [0, 3, 6, 12])
    def test_noise_that_the_skin_shows_too_is_no_structure(self, noise):
        rng = np.random.default_rng(noise)
        gray = np.where(DISC, 120, 190) + noise * rng.standard_normal(DISC.shape)
        image = np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        found = measured(image, DISC)["structureless_share"]
        assert found > 0.8

    def test_shading_is_no_structure(self):
        gray = np.where(DISC, 120 + 0.2 * X, 190)
        image = np.repeat(gray.round().astype(np.uint8)[..., None], 3, axis=2)
        assert measured(image, DISC)["structureless_share"] > 0.95

    def test_what_hair_hides_is_not_judged(self):
        image = mesh(12, 3)
        hair = X > 0
        image[hair & DISC] = 120
        assert measured(image, DISC)["structureless_share"] > 0.4
        assert measured(image, DISC, hair=hair)["structureless_share"] < 0.1
        assert measured(image, DISC, hair=np.ones_like(hair))["structureless_share"] == 0

    def test_nothing_can_be_judged_in_a_line(self):
        mask = np.zeros((100, 100), bool)
        mask[50, 20:80] = True
        found = measured(np.full((100, 100, 3), 90, np.uint8), mask)
        assert 0 <= found["structureless_largest_share"] <= found["structureless_share"] <= 1

    def test_orders_places_as_local_entropy_does(self):
        image, mask, _ = draw_lesion((384, 512), random_state=1, structureless=0.4, network=0.5)
        view = Lesion(image, mask).once(detail)
        ours, _ = local_deviation(view.lightness, view.mask, view.diameter)
        entropy = rank.entropy(np.clip(2 * view.lightness, 0, 255).astype(np.uint8), disk(8))
        inner = view.depth > 0.08 * view.diameter
        assert spearmanr(ours[inner], entropy[inner])[0] > 0.75


@pytest.mark.parametrize("change", [np.rot90, np.flipud, np.fliplr], ids=lambda f: f.__name__)
def test_turned_and_flipped(change):
    """Rounding alone changes values, by which now and then a single hole passes a threshold."""
    changed = []
    for seed in range(12):
        image, mask, _ = draw_lesion((201, 260), random_state=seed, network=0.7, structureless=0.3, noise=3)
        one, other = measured(image, mask), measured(change(image).copy(), change(mask).copy())
        assert other == pytest.approx(one, rel=0.04, abs=0.01)
        changed.append(other != pytest.approx(one, rel=1e-3, abs=1e-3))
    assert sum(changed) <= 2


@pytest.mark.parametrize("factor", [0.5, 2])
def test_scaled(factor):
    image, mask, _ = drawn(network=0.8, structureless=0.4, size=(480, 640))
    size = (round(640 * factor), round(480 * factor))
    other = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    where = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    one, other = measured(image, mask), measured(other, where)
    for name in ("network_share", "structureless_share", "structureless_largest_share"):
        assert other[name] == pytest.approx(one[name], abs=0.12), name
    for name in ("network_contrast", "network_hole_size", "network_line_width"):
        assert other[name] == pytest.approx(one[name], rel=0.25), name


def documented():
    text = pigment_network.__doc__ + structureless_area.__doc__
    found = re.findall(r"^\s*``([a-z_]+)`` : \[([-\d.]+), ([-\w.]+)\] \S", text, re.MULTILINE)
    return {name: (float(low), float(high)) for name, low, high in found}


AWKWARD = {
    "pixel": np.s_[30:31, 30:31],
    "line": np.s_[20:21, 3:60],
    "corner": np.s_[:20, :20],
    "nearly all": np.s_[1:64, :64],
    "block": np.s_[10:50, 10:50],
    "nothing": np.s_[:0],
}


@pytest.mark.parametrize("shape", AWKWARD)
@pytest.mark.parametrize("content", ["constant", "noise", "black", "checks"])
@pytest.mark.parametrize("hidden", [False, True])
def test_awkward_input_gives_documented_values(shape, content, hidden):
    mask = np.zeros((64, 64), bool)
    mask[AWKWARD[shape]] = True
    image = {
        "constant": np.full((64, 64, 3), 128),
        "black": np.zeros((64, 64, 3)),
        "noise": np.random.default_rng(0).integers(0, 256, (64, 64, 3)),
        "checks": 255 * (np.indices((64, 64)).sum(axis=0) // 3 % 2)[..., None] * np.ones(3),
    }[content].astype(np.uint8)
    found = measured(image, mask, hair=np.full((64, 64), hidden))
    ranges = documented()
    assert set(found) == set(ranges)
    assert len(found) == 8
    for name, value in found.items():
        assert isinstance(value, float), name
        assert ranges[name][0] <= value <= ranges[name][1], name
        if content in ("constant", "black") and name.startswith("network"):
            assert value == 0, name


# Real images: chosen by eye for a clear network, or for none


def siim(folder):
    """Yield names and RGB pixels from the record files, whose channels are swapped."""
    for path in sorted((folder / "siim2020" / "tfrecords").glob("*.tfrec")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            size = int.from_bytes(data[place : place + 8], "little")
            record = data[place + 12 : place + 12 + size]
            place += size + 16
            pixels = np.frombuffer(record[record.find(b"\xff\xd8\xff") :], np.uint8)
            yield re.search(rb"ISIC_\d{7}", record)[0].decode(), pixels


@pytest.fixture(scope="module")
def real(shared_data):
    """Lesions by name, their hair removed."""
    wanted = set(NETWORK + PLAIN + HAIRY)
    reader = LesionReader()
    chosen = {name: cv2.imdecode(pixels, cv2.IMREAD_COLOR) for name, pixels in siim(shared_data) if name in wanted}
    with open(shared_data / "malignant_vs_benign" / "lesions.csv") as table:
        files = {row["isic_id"]: row["file"] for row in csv.DictReader(table)}
    for name in wanted - set(chosen):
        chosen[name] = cv2.imread(str(shared_data / "malignant_vs_benign" / files[name]))[..., ::-1].copy()
    return {name: reader.prepare(rgb) for name, rgb in chosen.items()}


NETWORK = [
    "ISIC_3253566",
    "ISIC_3401240",
    "ISIC_9925786",
    "ISIC_9989617",
    "ISIC_9989641",
    "ISIC_9994125",
    "ISIC_9996128",
    "ISIC_0027426",
    "ISIC_0028441",
    "ISIC_0027961",
]
PLAIN = ["ISIC_3196630", "ISIC_3442691", "ISIC_9957298", "ISIC_9987808", "ISIC_9998240", "ISIC_0029629", "ISIC_0027487"]
HAIRY = ["ISIC_3112262", "ISIC_3417268", "ISIC_3537646", "ISIC_9978107", "ISIC_9995140"]


class TestRealImages:
    def test_clear_networks_are_found(self, real):
        shares = {name: real[name].once(find_network).share for name in NETWORK}
        assert min(shares.values()) > 0.15, shares
        bare = [structureless_area(real[name])["structureless_share"] for name in NETWORK]
        assert np.median(bare) < 0.1

    @pytest.mark.parametrize("names", [PLAIN, HAIRY], ids=["plain", "hairy"])
    def test_none_in_plain_or_hairy_lesions(self, real, names):
        shares = {name: real[name].once(find_network).share for name in names}
        assert max(shares.values()) < 0.05, shares

    def test_plain_lesions_are_structureless(self, real):
        shares = [structureless_area(real[name])["structureless_share"] for name in PLAIN[:4]]
        assert min(shares) > 0.4

    @pytest.mark.parametrize(
        ("change", "mean", "most"),
        [
            (lambda rgb: rgb * 0.85, 0.03, 0.12),
            (lambda rgb: 0.9 * rgb * [1.1, 1, 0.9], 0.05, 0.15),  # red is not clipped
            (lambda rgb: rgb + np.random.default_rng(0).normal(0, 3, rgb.shape), 0.05, 0.2),
            (lambda rgb: encoded(rgb, 60), 0.05, 0.25),
        ],
        ids=["darker", "cast", "noise", "jpeg"],
    )
    def test_light_colour_and_noise_change_little(self, real, change, mean, most):
        changed = []
        for lesion in real.values():
            image = np.clip(np.round(change(lesion.image)), 0, 255).astype(np.uint8)
            one, other = (measured(rgb, lesion.mask) for rgb in (lesion.image, image))
            changed.append([abs(other[name] - one[name]) for name in ("network_share", "structureless_share")])
        assert np.all(np.mean(changed, axis=0) < mean)
        assert np.max(changed) < most

    @pytest.mark.parametrize("change", [np.rot90, np.flipud, np.fliplr], ids=lambda f: f.__name__)
    def test_turned_and_flipped(self, real, change):
        for name in NETWORK[:6]:
            one = measured(real[name].image, real[name].mask)
            other = measured(change(real[name].image).copy(), change(real[name].mask).copy())
            assert other == pytest.approx(one, rel=0.04, abs=0.01)  # single holes lie on a threshold

    def test_magnified_twice(self, real):
        changed = []
        for lesion in (real[name] for name in NETWORK + PLAIN):
            image, mask = (
                cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
                for plane in (lesion.image, lesion.mask.astype(np.uint8))
            )
            one, other = measured(lesion.image, lesion.mask), measured(image, mask > 0)
            changed.append([abs(other[name] - one[name]) for name in ("network_share", "structureless_share")])
        assert np.all(np.mean(changed, axis=0) < 0.1)
        assert np.max(changed) < 0.25

    def test_halved_finds_no_more(self, real):
        for name in NETWORK + PLAIN:
            image, mask = (
                cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                for plane in (real[name].image, real[name].mask.astype(np.uint8) * 255)
            )
            one, other = measured(real[name].image, real[name].mask), measured(image, mask > 127)
            assert other["network_share"] < one["network_share"] + 0.1, name
