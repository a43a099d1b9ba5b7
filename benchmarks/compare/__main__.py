"""Compare dermfeat with what people would use instead, on this computer.

    python -m benchmarks.compare [--only NAME ...] [--data DIR] [--quick] [--out out/compare]

Nothing is installed: peers that are not there are named and left out (`pip install 'dermfeat[bench]'` brings them).
--data takes the JPEG files of a folder in place of drawn lesions; `--readme FILE.json` prints the README's table.
"""

import argparse
import json
import shutil
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.compare.figures import Result, machine
from benchmarks.compare.settings import Settings

COMPARISONS = (
    "embedding", "bfloat16", "measures", "preparation", "end_to_end", "one_image", "store", "tuning", "growth",
)  # fmt: skip


def run(settings, only=COMPARISONS):
    """Return the tables, notes and details of some comparisons; one that fails is named in the notes."""
    tables, notes, details, figures = {}, machine(settings), {}, []
    for name in only:
        start = time.perf_counter()
        try:
            result = import_module(f"benchmarks.compare.{name}").compare(settings)
        except Exception as error:  # what others have measured by then is kept
            traceback.print_exc()
            result = Result(notes=[f"{name.upper()} FAILED: {type(error).__name__}: {error}"])
        figures += result.figures
        tables |= result.tables
        notes += result.notes
        details |= {name: result.details | {"took s": round(time.perf_counter() - start, 1)}}
        print(f"{name}: {details[name]['took s']} s", flush=True)
    rows = {"Figures": [figure.row() for figure in figures]} if figures else {}
    return rows | tables, notes, details


def readme_rows(record):
    """Return the Markdown lines of the README's speed table from the JSON record of a run."""
    keys = {"figure": "figure", "others": "others", "dermfeat": "dermfeat", "ratio or value": "ratio"}
    lines = [list(keys.values()), ["---"] * len(keys)]
    shown = [row for row in record["tables"]["Figures"] if row["ratio or value"] != "not measured"]
    lines += [[row[key] for key in keys] for row in shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, default=COMPARISONS, metavar="NAME",
                        help=f"some of: {', '.join(COMPARISONS)}")  # fmt: skip
    parser.add_argument("--data", help="folder of JPEG files; with labels as load_folder reads them, for the AUC")
    parser.add_argument("--quick", action="store_true", help="small and few: only shows that everything runs")
    parser.add_argument("--cores", type=int, default=2, help="CPU cores that every competitor may use")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 3000, 10000], help="images of the growth")
    parser.add_argument("--out", default="out/compare", help="result files without ending")
    parser.add_argument("--readme", metavar="FILE.json", help="print the README's table from a result and end")
    args = parser.parse_args(argv)
    if args.readme:
        print(readme_rows(json.loads(Path(args.readme).read_text(encoding="utf-8"))))
        return
    settings = Settings(args.data, args.quick, args.cores, tuple(args.counts))
    try:
        tables, notes, details = run(settings, args.only)
    finally:
        shutil.rmtree(settings.folder, ignore_errors=True)
    from dermfeat.evaluation import write_results

    notes += ["Quick: these numbers say nothing"] if args.quick else []
    print(write_results(args.out, "Speed, side by side", tables, notes, details))


if __name__ == "__main__":
    main()
