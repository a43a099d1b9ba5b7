"""Side by side with what else there is: speed and memory, in interleaved runs. See ``python -m benchmarks.compare -h``.

The classes are in the manner of asv: `setup` once, then methods ``time_...``, each a competitor.
"""
