"""The seven-point checklist, from numbers that were measured before or from experts' labels."""

import numpy as np

from dermfeat.measures.scores import reader

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


def seven_point(
    measured,
    *,
    weights="1998",
    threshold=None,
    network_share=0.1,
    network_hole_irregularity=0.3,
    network_color_variation=10.0,
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
    network_share, network_hole_irregularity, network_color_variation : float
        A network is atypical where there is more than `network_share` of it, with holes of varied size or
        lines of several shades (ΔE).
    veil_share : float
        Share of the lesion above which blue-white veil counts.
    streaks, streaks_irregularity : float
        Streaks are irregular where both are exceeded.
    blobs, blobs_offset, blobs_size_variation : float
        Dots and globules are irregular where there are more than `blobs`, and these off the centre (equivalent
        diameters) or of varied size.
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
    value = reader(measured)
    many_blobs = value("dots_count") + value("globules_count") > blobs
    uneven_blobs = (value("blobs_offset") > blobs_offset) | (value("blobs_size_variation") > blobs_size_variation)
    uneven_streaks = value("streaks_irregularity") > streaks_irregularity
    uneven_network = value("network_hole_irregularity") > network_hole_irregularity
    uneven_network |= value("network_color_variation") > network_color_variation
    regression = value("regression_white_share") + value("regression_blue_share")
    met = {
        "atypical_network": (value("network_share") > network_share) & uneven_network,
        "blue_white_veil": value("blue_white_veil_share") > veil_share,
        "irregular_streaks": (value("streaks_count") > streaks) & uneven_streaks,
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
