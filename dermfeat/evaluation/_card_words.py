"""The lesion card's words: what was measured, line by line."""

from dermfeat.measures.checklist import MAJOR
from dermfeat.measures.color_regions import DERMOSCOPIC_COLORS

UNSURE = "no lesion found with confidence"
BLUISH = "not to be told"
PARTS = ("shape", "colour", "structure")
CRITERIA = {
    "atypical_network": "atypical pigment network",
    "blue_white_veil": "blue-white veil",
    "atypical_vessels": "atypical vessels",
    "irregular_streaks": "irregular streaks",
    "irregular_dots_globules": "irregular dots or globules",
    "irregular_blotches": "irregular blotches",
    "regression": "regression",
}


def shortened(name, most=60):
    """Return a name on one line that is not too long for a heading."""
    name = " ".join(name.split())
    return name if len(name) <= most else f"{name[: most - 1]}…"


def percent(share):
    """Return a share in per cent, small ones as such."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%"


def abcd_rows(values):
    """Return ``(letter, value, explanation)`` of the ABCD rule's four parts and their sum."""
    seen = values["sectors_seen"]
    part = "the outline" if seen > 0.995 else f"the {percent(seen)} that could be judged"
    abrupt = f"pigment ends abruptly along {percent(values['B'] / 8)} of {part}" if seen else "could not be judged"
    return [
        ("A  asymmetry", f"{values['A']:.0f} of 2", _asymmetry(values)),
        ("B  border", f"{values['B']:.1f} of 8", abrupt),
        ("C  colours", f"{values['C']:.0f} of 6", _colors(values)),
        ("D  structures", f"{values['D']:.0f} of 5", _structures(values)),
        ("total score", f"{values['TDS']:.2f}", _verdict(values)),
    ]


def _verdict(values):
    return f"{UNSURE}: not to be relied on" if values["is_fallback"] else f"{values['TDS_band']} by the rule's bands"


def _asymmetry(values):
    one, other = values["A_first_axis"], values["A_second_axis"]
    if one == other:
        return f"halves differ in {one} about both axes" if one else "halves match in shape, colour and structure"
    if not (one and other):
        return f"halves differ in {one or other} about one axis"
    return f"halves differ in {one} about one axis, in {other} about the other"


def differing(parts):
    """Return in words which of shape, colour and structure differ about an axis."""
    return " and ".join(word for word, there in zip(PARTS, parts, strict=True) if there)


def _colors(values):
    shares = {name: values[f"C_{name}_share"] for name in DERMOSCOPIC_COLORS}
    present = sorted((name for name in shares if shares[name] >= 0.01), key=shares.get, reverse=True)
    return ", ".join(f"{color_name(name)} {percent(shares[name])}" for name in present) or "none beside the skin's"


def color_name(name):
    return {"blue_gray": "blue-gray"}.get(name, name.replace("_", " "))


def _structures(values):
    names = {"network": "pigment network", "structureless": "structureless area"}
    present = [key.removeprefix("D_") for key, there in values.items() if key.startswith("D_") and there is True]
    return ", ".join(names.get(name, name) for name in present) or "none of the five (1 is the least)"


def checklist_rows(values):
    """Return ``(criterion, points, explanation)`` of the seven-point checklist and their sum."""
    rows = []
    for name, text in CRITERIA.items():
        met = values.get(f"seven_point_{name}")
        points = 2 if name in MAJOR else 1
        rows.append((text, "not measured" if met is None else f"{points * met:.0f} of {points}", ""))
    verdict = "suspicious" if values["seven_point_positive"] else "not suspicious"
    verdict = "unsure" if values["is_fallback"] else verdict
    return [*rows, ("seven-point score", f"{values['seven_point_score']:.0f} of 8", verdict)]


def other_rows(values):
    """Return the lines on the skin and on how sure the outline is."""
    outline = UNSURE if values["is_fallback"] else "confidence"
    return [
        ("skin tone", values["skin_tone"], f"{round(values['skin_ita'])}° as photographed"),
        ("outline", f"{values['confidence']:.2f}", outline),
    ]


def structure_texts(values):
    """Return what the legend says of the five structures."""
    return [
        f"pigment network {percent(values['network_share'])}",
        f"structureless {percent(values['structureless_share'])}",
        f"streaks: {values['streaks_count']:.0f}",
        f"dots: {values['dots_count']:.0f}",
        f"globules: {values['globules_count']:.0f}",
    ]


def area_texts(values):
    """Return what the legend says of veil, blotches and regression."""
    return [
        f"blue-white veil {percent(values['blue_white_veil_share'])}",
        f"blotches {percent(values['blotch_share'])}",
        f"white areas {percent(values['regression_white_share'])}",
        f"peppering {percent(values['regression_blue_share'])}",
    ]
