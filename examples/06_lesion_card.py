"""The card of one lesion: ABCD rule, seven-point checklist, colours and structures in numbers and a picture.

    python examples/06_lesion_card.py [IMAGE] [--out lesion_card.png]

For research and education, not for diagnosis.
"""

import argparse

from dermfeat.datasets import draw_lesion
from dermfeat.evaluation import lesion_card


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", nargs="?", help="an image file; a lesion is drawn by default")
    parser.add_argument("--out", default="lesion_card.png")
    args = parser.parse_args(argv)
    drawn = draw_lesion(
        (360, 480),
        asymmetry=0.5,
        colors=("light_brown", "dark_brown", "blue_gray"),
        globules=8,
        dots=15,
        random_state=3,
    )
    card = lesion_card(args.image) if args.image else lesion_card(drawn[0], name="drawn lesion")
    for name, value in card.values.items():
        print(f"{name}: {value}")
    card.save(args.out)
    print(f"picture: {args.out}")


if __name__ == "__main__":
    main()
