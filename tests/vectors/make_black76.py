#!/usr/bin/env python3
"""Black-76 vectors by an independent route: decimals of 60 digits, the normal distribution by its
series.

Written from docs/margin-spec.md (6.1, 6.2), not from the Rust code. Standard library only.

    python3 tests/vectors/make_black76.py                  writes black76.json beside this file
    python3 tests/vectors/make_black76.py --check FILE...  recomputes the rows of each FILE's grid

Exit status: 0 when all agree, 1 when a figure differs, 2 for bad arguments.
"""

import json
import random
import sys
from decimal import Decimal, getcontext
from pathlib import Path

getcontext().prec = 60
YEAR_S = 31_536_000
PPM = 1_000_000

ABOUT = (
    "Undiscounted Black-76 from make_black76.py, decimals of 60 digits, printed to 18; T in whole "
    "seconds, year 31,536,000 s, theta per year, vega per 1.00 of volatility. A row passes when, "
    "where F/K is in [1/20, 20] and sigma sqrt T in [1e-4, 5], values differ by at most 1e-7 of "
    "max(F, K) and Greeks by at most 1e-6 of their peak over all strikes."
)


def arctan_inverse(number):
    """arctan(1 / number) by its series."""
    term = total = Decimal(1) / number
    index = 1
    while abs(term) > Decimal(10) ** -65:
        term = -term / (number * number)
        index += 2
        total += term / index
    return total


# Machin's formula.
PI = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))


def density(x):
    return (-x * x / 2).exp() / (2 * PI).sqrt()


def tail(x):
    """The chance beyond x >= 0: one half less the series near zero, a continued fraction far out."""
    if x < 8:
        term = total = x
        odd = 3
        while term > Decimal(10) ** -75:
            term = term * x * x / odd
            total += term
            odd += 2
        return Decimal("0.5") - total * density(x)
    fraction = x
    for index in range(400, 0, -1):
        fraction = x + index / fraction
    return density(x) / fraction


def normal(x):
    return 1 - tail(x) if x >= 0 else tail(-x)


def figures(forward, strike, time_s, sigma_ppm):
    """6.1, 6.2: value by the out-of-the-money side and parity, Greeks by their formulas."""
    years = Decimal(time_s) / YEAR_S
    sigma = Decimal(sigma_ppm) / PPM
    deviation = sigma * years.sqrt()
    d1 = (forward / strike).ln() / deviation + deviation / 2
    d2 = d1 - deviation
    if forward <= strike:
        call = forward * normal(d1) - strike * normal(d2)
        put = call - forward + strike
    else:
        put = strike * normal(-d2) - forward * normal(-d1)
        call = put + forward - strike
    shape = density(d1)
    return {
        "call": call,
        "put": put,
        "delta_call": normal(d1),
        "delta_put": -normal(-d1),
        "gamma": shape / (forward * deviation),
        "vega": forward * shape * years.sqrt(),
        "theta_year": -forward * shape * sigma / (2 * years.sqrt()),
    }


def row_of(forward, strike, time_s, sigma_ppm):
    row = {"F": str(forward), "K": str(strike), "T_seconds": time_s, "sigma_ppm": sigma_ppm}
    found = figures(forward, strike, time_s, sigma_ppm)
    return row | {key: f"{value:.18g}" for key, value in found.items()}


def sigma_for(deviation, time_s):
    """The volatility in ppm that gives about this sigma sqrt T."""
    root = (Decimal(time_s) / YEAR_S).sqrt()
    return int((Decimal(deviation) / root * PPM).to_integral_value())


def rows():
    # The corners of the promise, and the money, at every spread of sigma sqrt T.
    for time_s, deviation in (
        (60, "0.000101"),
        (3_600, "0.001"),
        (86_400, "0.02"),
        (604_800, "0.1"),
        (2_592_000, "0.25"),
        (YEAR_S, "1"),
        (YEAR_S, "2.5"),
        (10 * YEAR_S, "4.99"),
    ):
        sigma = sigma_for(deviation, time_s)
        for forward, strike in (
            ("150", "150"),
            ("150", "150.01"),
            ("149.99", "150"),
            ("100", "90"),
            ("90", "100"),
            ("20", "1"),
            ("1", "20"),
        ):
            yield row_of(Decimal(forward), Decimal(strike), time_s, sigma)
    # Prices from a token of millionths to one of a hundred thousands.
    for price in ("0.00000123", "0.0456", "1.36", "63999.99", "123456.789"):
        strike = Decimal(price) * Decimal("1.05")
        yield row_of(Decimal(price), strike.normalize(), 1_209_600, 650_000)
    draw = random.Random(76)
    for _ in range(120):
        forward = Decimal(f"{10 ** draw.uniform(-3, 5):.9g}")
        strike = forward * Decimal(draw.uniform(-2.99, 2.99)).exp()
        time_s = int(10 ** draw.uniform(2, 8))
        deviation = 10 ** draw.uniform(-3.9, 0.69)
        sigma = sigma_for(deviation, time_s)
        if 1_000 <= sigma <= 16_000_000:
            yield row_of(forward, Decimal(f"{strike:.9g}"), time_s, sigma)


def check(path):
    wrong = 0
    grid = json.loads(Path(path).read_text()).get("grid", [])
    for index, row in enumerate(grid):
        terms = (Decimal(row["F"]), Decimal(row["K"]), int(row["T_seconds"]), int(row["sigma_ppm"]))
        found = figures(*terms)
        for key, exact in found.items():
            # Far from the money the eighteenth digit asks for more than others may have carried.
            delta = 1 if key.startswith("delta") else 0
            unit = max(terms[:2]) if key in ("call", "put") else delta
            most = unit * Decimal("1e-16") + abs(exact) * Decimal("1e-9")
            if key in row and abs(Decimal(row[key]) - exact) > most:
                wrong += 1
                print(f"{path}: grid[{index}].{key}: {row[key]}, ours {exact:.18g}", file=sys.stderr)
    print(f"{path}: rows {len(grid)}, differences {wrong}")
    return wrong


def main(given):
    if given in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if given and given[0] == "--check" and given[1:]:
        return 1 if sum([check(path) for path in given[1:]]) else 0
    if given:
        print(f"error: unexpected arguments {given}; try --help", file=sys.stderr)
        return 2
    lines = ",\n".join("  " + json.dumps(row) for row in rows())
    text = "{\n" + f' "about": {json.dumps(ABOUT)},\n "grid": [\n{lines}\n ]\n' + "}\n"
    Path(__file__).resolve().parent.joinpath("black76.json").write_text(text)
    print(f"black76.json: {text.count('T_seconds')} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
