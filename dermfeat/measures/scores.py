"""The ABCD rule's total dermoscopy score and the seven-point checklist, from numbers that were measured before."""

import numpy as np

RANGES = {"A": (0, 2), "B": (0, 8), "C": (1, 6), "D": (1, 5)}
CHECKLISTS = {  # points of a major and of a minor criterion, and the score from which a lesion is suspicious
    "1998": (2, 1, 3),
    "2011": (1, 1, 1),
}
MAJOR = ("atypical_network", "blue_white_veil", "atypical_vessels")
LABELS = {  # criterion, labels that meet it, labels that do not, by column of derm7pt's table
    "pigment_network": ("atypical_network", {"atypical"}, {"absent", "typical"}),
    "blue_whitish_veil": ("blue_white_veil", {"present"}, {"absent"}),
    "vascular_structures": (
        "atypical_vessels",
        {"dotted", "linear irregular"},
        {"absent", "arborizing", "comma", "hairpin", "within regression", "wreath"},
    ),
    "pigmentation": (
        "irregular_blotches",
        {"diffuse irregular", "localized irregular"},
        {"absent", "diffuse regular", "localized regular"},
    ),
    "streaks": ("irregular_streaks", {"irregular"}, {"absent", "regular"}),
    "dots_and_globules": ("irregular_dots_globules", {"irregular"}, {"absent", "regular"}),
    "regression_structures": ("regression", {"blue areas", "white areas", "combinations"}, {"absent"}),
}


def total_dermoscopy_score(a, b, c, d):
    """Return the total dermoscopy score, ``1.3 A + 0.1 B + 0.5 C + 0.5 D``, in [1, 8.9].

    Parameters
    ----------
    a : float or array
        Asymmetry, in [0, 2].
    b : float or array
        Border, in [0, 8]; fractions of a sector are taken as they are.
    c : float or array
        Colours, in [1, 6].
    d : float or array
        Structures, in [1, 5].

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If a score is missing or out of its range.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    for (name, (low, high)), values in zip(RANGES.items(), (a, b, c, d), strict=True):
        values = np.asarray(values, float)
        outside = ~((values >= low) & (values <= high))
        if outside.any():
            raise ValueError(f"{name} is {values[outside].flat[0]:g}: it goes from {low} to {high}")
    a, b, c, d = (np.asarray(values, float) for values in (a, b, c, d))
    return (1.3 * a + 0.1 * b + 0.5 * c + 0.5 * d)[()]


def tds_band(tds, *, suspicious=4.75, highly_suspicious=5.45):
    """Return what a total dermoscopy score says: "benign", "suspicious" or "highly suspicious".

    Below `suspicious` a lesion counts as benign, above `highly_suspicious` as highly suspicious of melanoma, between
    them, both ends included, as suspicious (Nachbar et al. 1994; some texts set the first at 4.8).

    Parameters
    ----------
    tds : float or array
    suspicious, highly_suspicious : float

    Returns
    -------
    str or ndarray of str
    """
    tds = np.asarray(tds, float)
    if np.isnan(tds).any():
        raise ValueError("the total dermoscopy score is missing (NaN)")
    if suspicious > highly_suspicious:
        raise ValueError(f"suspicious={suspicious} is above highly_suspicious={highly_suspicious}")
    bands = np.select([tds < suspicious, tds <= highly_suspicious], ["benign", "suspicious"], "highly suspicious")
    return bands if tds.ndim else str(bands)


def structures_present(measured, *, network_share=0.1, structureless_share=0.1, streaks=2, dots=2, globules=2):
    """Return which of the ABCD rule's five structures a lesion shows.

    Parameters
    ----------
    measured : mapping of str to float
        The keys of `pigment_network`, `structureless_area`, `streaks` and `dots_and_globules`. Arrays, or a DataFrame's
        columns, give arrays.
    network_share, structureless_share : float
        Shares of the lesion above which a pigment network and a structureless area count; the rule says 10 % for
        the latter and "present" for the network.
    streaks, dots : float
        Counts above which they count.
    globules : float
        Count from which they count: 2 in most texts, 1 in one.

    Returns
    -------
    dict of str to bool
        ``network``, ``structureless``, ``streaks``, ``dots``, ``globules``.
    """
    value = _reader(measured)
    return {
        "network": value("network_share") > network_share,
        "structureless": value("structureless_share") > structureless_share,
        "streaks": value("streaks_count") > streaks,
        "dots": value("dots_count") > dots,
        "globules": value("globules_count") >= globules,
    }


def structure_count(measured, **thresholds):
    """Return D of the ABCD rule: how many of the five structures there are, at least 1 as the rule's range has it.

    Parameters
    ----------
    measured : mapping of str to float
    **thresholds : float
        See `structures_present`.

    Returns
    -------
    float or ndarray
        In [1, 5].
    """
    return np.maximum(sum(np.asarray(there, float) for there in structures_present(measured, **thresholds).values()), 1)


def abcd_score(measured, **thresholds):
    """Return C, D and the total dermoscopy score of the ABCD rule.

    A is ``asymmetry_score``, B ``border_score``, C the number of dermoscopic colours, D `structure_count`.

    Parameters
    ----------
    measured : mapping of str to float
        The keys of `asymmetry`, `border`, `dermoscopic_colors`, `pigment_network`, `structureless_area`, `streaks` and
        `dots_and_globules`.
    **thresholds : float
        See `structures_present`.

    Returns
    -------
    dict of str to float
        ``color_score`` : [1, 6] -
            C: `dermoscopic_colors_count`, at least 1 as the rule's range has it.
        ``structure_score`` : [1, 5] -
            D.
        ``tds`` : [1, 8.9] -
            ``1.3 A + 0.1 B + 0.5 C + 0.5 D``; see `tds_band`.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    value = _reader(measured)
    color = np.maximum(value("dermoscopic_colors_count"), 1)
    structure = structure_count(measured, **thresholds)
    tds = total_dermoscopy_score(value("asymmetry_score"), value("border_score"), color, structure)
    return {"color_score": color, "structure_score": structure, "tds": tds}


def seven_point(
    measured,
    *,
    weights="1998",
    threshold=None,
    network_share=0.1,
    network_hole_irregularity=0.45,
    network_line_width=0.03,
    veil_share=0.01,
    streaks=2,
    streaks_irregularity=0.5,
    blobs=2,
    blobs_offset=0.15,
    blobs_size_variation=0.4,
    blotch_offset=0.05,
    regression_share=0.01,
):
    """Return the criteria of the seven-point checklist that can be measured, and their score.

    Atypical vessels are not measured and stay out, so the score misses up to two points of an expert's. What an expert
    calls irregular is taken as unevenly spread or of varied size; the thresholds are round numbers that were not
    fitted to experts' labels.

    Parameters
    ----------
    measured : mapping of str to float
        The keys of `pigment_network`, `blue_white_veil`, `streaks`, `dots_and_globules`, `blotches` and `regression`.
        Arrays, or a DataFrame's columns, give arrays.
    weights : "1998" or "2011"
        1998: two points each for atypical network and blue-white veil, one for the others, suspicious from 3. 2011: one
        point each, suspicious from 1; the lower threshold is published (Argenziano et al. 2011, Br J Dermatol
        164:785), the equal points are quoted unverified.
    threshold : float, optional
        Score from which a lesion is suspicious; that of the weights by default.
    network_share, network_hole_irregularity, network_line_width : float
        A network is atypical where there is more than `network_share` of it, with irregular holes or thick lines.
    veil_share : float
        Share of the lesion above which blue-white veil counts.
    streaks, streaks_irregularity : float
        Streaks are irregular where both are exceeded.
    blobs, blobs_offset, blobs_size_variation : float
        Dots and globules are irregular where there are more than `blobs`, off the centre or of varied size.
    blotch_offset : float
        Equivalent diameters from the lesion's centroid above which blotches are irregular.
    regression_share : float
        Share of the lesion above which white areas and peppering count as regression.

    Returns
    -------
    dict of str to float
        ``seven_point_{atypical_network,blue_white_veil,regression}`` : [0, 1] -
            1 where the criterion is met.
        ``seven_point_irregular_{streaks,dots_globules,blotches}`` : [0, 1] -
            The same.
        ``seven_point_score`` : [0, 8] points
            Sum of the points of the criteria that are met.
        ``seven_point_positive`` : [0, 1] -
            1 where the score reaches the threshold.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    value = _reader(measured)
    many_blobs = value("dots_count") + value("globules_count") > blobs
    uneven_blobs = (value("blobs_offset") > blobs_offset) | (value("blobs_size_variation") > blobs_size_variation)
    many_streaks, uneven_streaks = (
        value("streaks_count") > streaks,
        value("streaks_irregularity") > streaks_irregularity,
    )
    uneven_network = value("network_hole_irregularity") > network_hole_irregularity
    uneven_network |= value("network_line_width") > network_line_width
    regression = value("regression_white_share") + value("regression_blue_share")
    met = {
        "atypical_network": (value("network_share") > network_share) & uneven_network,
        "blue_white_veil": value("blue_white_veil_share") > veil_share,
        "irregular_streaks": many_streaks & uneven_streaks,
        "irregular_dots_globules": many_blobs & uneven_blobs,
        "irregular_blotches": value("blotch_offset") > blotch_offset,
        "regression": regression > regression_share,
    }
    score = _points(met, weights)
    positive = score >= (CHECKLISTS[weights][2] if threshold is None else threshold)
    pieces = {f"seven_point_{name}": np.asarray(there, float)[()] for name, there in met.items()}
    return {**pieces, "seven_point_score": score, "seven_point_positive": np.asarray(positive, float)[()]}


def seven_point_from_labels(labels, *, weights="1998"):
    """Return the seven-point score of cases that experts labelled, as in the derm7pt data.

    With the weights of 1998 an atypical pigment network, a blue-whitish veil and dotted or linear irregular vessels
    give two points each; irregular pigmentation, streaks, dots and globules, and any regression one each.

    Parameters
    ----------
    labels : mapping of str to str or sequence of str, or DataFrame
        One label, or one a case, for each of derm7pt's columns ``pigment_network``, ``blue_whitish_veil``,
        ``vascular_structures``, ``pigmentation``, ``streaks``, ``dots_and_globules``, ``regression_structures``.
        Further columns are not looked at.
    weights : "1998" or "2011"
        See `seven_point`.

    Returns
    -------
    int or (n,) int ndarray
        In [0, 10] with the weights of 1998, else in [0, 7].

    Raises
    ------
    ValueError
        If a column or label is missing, or a label is not among the known ones.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    J. Kawahara et al., "Seven-point checklist and skin lesion classification using multitask multimodal neural
    nets", IEEE J Biomed Health Inform 23:538-546, 2019, doi:10.1109/JBHI.2018.2824327.
    """
    missing = [column for column in LABELS if column not in labels]
    if missing:
        raise ValueError(f"labels lack {', '.join(missing)}; derm7pt's table has all of {', '.join(LABELS)}")
    rows = getattr(labels, "index", None)
    score = _points({LABELS[column][0]: _meets(column, labels[column], rows) for column in LABELS}, weights)
    return score.astype(int) if np.ndim(score) else int(score)


def _meets(column, given, rows):
    """Return whether each label of a column meets its criterion."""
    _, irregular, regular = LABELS[column]
    given = np.asarray(given, object)
    for place, label in enumerate(given.flat):
        if not isinstance(label, str) or label not in irregular | regular:
            row = f" in row {place if rows is None else rows[place]}" if given.ndim else ""
            raise ValueError(f"{column} is {label!r}{row}; known are {', '.join(sorted(irregular | regular))}")
    return np.isin(given.astype(str), list(irregular))


def _points(met, weights):
    """Return the weighted sum of the criteria that are met."""
    if weights not in CHECKLISTS:
        raise ValueError(f"weights={weights!r}: use {' or '.join(map(repr, CHECKLISTS))}")
    major, minor, _ = CHECKLISTS[weights]
    return sum(np.asarray(there, float) * (major if name in MAJOR else minor) for name, there in met.items())


def _reader(measured):
    """Return a function that looks up a number by name and refuses what is missing."""

    def value(name):
        try:
            found = np.asarray(measured[name], float)
        except KeyError:
            raise ValueError(f"{name} is not among the measures that were given; measure the lesion for it") from None
        if np.isnan(found).any():
            raise ValueError(f"{name} is missing (NaN) in the measures that were given; leave such images out")
        return found[()]

    return value
