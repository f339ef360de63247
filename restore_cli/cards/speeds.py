"""How fast the models run beside what is built in: pixels a second, in units of the default's at that task and scale.

Measured in turn on one core of an AMD EPYC of the fifth generation (AVX-512 with bfloat16), in the precision that
`auto` takes, on pictures of 192x192 pixels: the processor's time from 8-bit samples to those of the result, the least
of four runs; of the large SAFMN there was one run. The paper's SAFMN and darkir-m had random weights, which take as
long. At x2 and x3 all were measured beside safmn-any, and divided by what the paper's SAFMN, which safmn-x2,
safmn-x2-photo and safmn-x3 are, does of it: 1.2 and 1.3. Other machines have other ratios, which

    restore bench --threads 1 --size 192x192 --runs 9 --model safmn-x4 --model plainusr-s-x4

tells where nothing else runs there.
"""

from __future__ import annotations

from collections.abc import Mapping

RELATIVE_SPEED: Mapping[str, float] = {
    "safmn-x4": 1,
    "safmn-x2": 1,
    "safmn-x3": 1,
    "safmn-any": 1,
    "safmn-x4-photo": 1,
    "safmn-x2-photo": 1,
    "denoise": 1,
    "dejpeg-s": 1,
    "darkir-s": 1,
    "safmn-df2k-x2": 1,
    "safmn-df2k-x3": 1,
    "safmn-df2k-x4": 1,
    "safmn-l-df2k-x2": 0.092,
    "safmn-l-df2k-x3": 0.092,
    "safmn-l-df2k-x4": 0.093,
    "safmn-l-real-x2": 0.092,
    "safmn-l-real-x4": 0.094,
    "safmn-ntire-x4": 1.4,
    "safmnpp-x4": 1.5,
    "light-safmnpp-x4": 4.3,
    "plainusr-u-x2": 11,
    "plainusr-u-x4": 7.3,
    "plainusr-t-x2": 4.5,
    "plainusr-t-x4": 3.7,
    "plainusr-s-x2": 4.2,
    "plainusr-s-x4": 3.6,
    "plainusr-m-x2": 2.4,
    "plainusr-m-x4": 2.2,
    "plainusr-x2": 1.4,
    "plainusr-x4": 1.4,
    "plainusr-l-x2": 0.7,
    "plainusr-l-x4": 0.72,
    "darkir-m": 0.43,
}
"""Of each model by its name; one that is missing has not been measured."""
