#!/usr/bin/env python3
"""Writes black76.json: undiscounted Black-76 values and Greeks, independent of the engine.

Usage: python3 tests/vectors/make_black76.py > tests/vectors/black76.json

Only decimal arithmetic of the standard library: 120 digits inside, 18 printed. The normal
distribution is summed as a series near zero and as a continued fraction in the tails (Abramowitz
and Stegun 26.2.11 and 26.2.14); nothing of it is how the engine works.
"""

import json
from decimal import Decimal as D, MIN_EMIN, getcontext

getcontext().prec = 120
getcontext().Emin = MIN_EMIN
PI = D(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214808651"
)
YEAR = D(31_536_000)


def density(x):
    return (-x * x / 2).exp() / (2 * PI).sqrt()


def tail(x):
    """1 - N(x) for x > 0."""
    if x < 9:
        term = total = x
        odd = 1
        while abs(term) > D(10) ** -110:
            odd += 2
            term *= x * x / odd
            total += term
        return D("0.5") - density(x) * total
    fraction = x
    for n in range(400, 0, -1):
        fraction = x + n / fraction
    return density(x) / fraction


def cdf(x):
    return tail(-x) if x < 0 else 1 - tail(x) if x > 0 else D("0.5")


def black(forward, strike, years, sigma):
    root = years.sqrt()
    deviation = sigma * root
    d1 = ((forward / strike).ln() + deviation * deviation / 2) / deviation
    d2 = d1 - deviation
    bell = density(d1)
    # The side out of the money from tails, the other by parity: no digits are lost.
    return {
        "call": forward * cdf(d1) - strike * cdf(d2),
        "put": strike * cdf(-d2) - forward * cdf(-d1),
        "delta_call": cdf(d1),
        "delta_put": -cdf(-d1),
        "gamma": bell / (forward * deviation),
        "vega": forward * bell * root,
        "theta_year": -forward * bell * sigma / (2 * root),
    }


def printed(x):
    getcontext().prec = 18
    text = str(+x)
    getcontext().prec = 120
    return text


def row(forward, strike, time_s, sigma_ppm):
    found = black(D(forward), D(strike), time_s / YEAR, D(sigma_ppm) / 1_000_000)
    head = {"F": forward, "K": strike, "T_seconds": time_s, "sigma_ppm": sigma_ppm}
    return head | {key: printed(value) for key, value in found.items()}


# Seconds and ppm: sigma sqrt T is 1.007e-4, 1.069e-4, 1e-3, 0.01, 0.043, 0.0625, 0.0625, 0.1, 0.125
# (where the engine changes its formula), 0.5, 1 (its grid), 2, 4.99999 and 5.
DEVIATIONS = [
    (32, 100_000),
    (1, 600_500),
    (3_154, 100_000),
    (86_400, 191_050),
    (86_400, 820_000),
    (86_400, 1_194_060),
    (604_800, 451_600),
    (2_592_000, 348_800),
    (2_592_000, 436_000),
    (7_884_000, 1_000_000),
    (31_536_000, 1_000_000),
    (126_144_000, 1_000_000),
    (315_360_000, 1_581_135),
    (31_536_000, 5_000_000),
]
FORWARDS = ["5", "20", "80", "95", "99.9", "99.99", "100", "100.01", "100.1", "105", "125", "500", "2000"]
MONEY = ["0.000123456", "1", "64123.75", "97531.8642"]


def grid():
    for time_s, sigma in DEVIATIONS:
        for forward in FORWARDS:
            yield row(forward, "100", time_s, sigma)
        for money in MONEY:
            yield row(money, money, time_s, sigma)
    # Deep out of the money, and the least time there is.
    for time_s, sigma in [(1, 10_000), (60, 800_000), (86_400, 300_000)]:
        yield row("70", "100", time_s, sigma)
        yield row("100", "70", time_s, sigma)


# Source, type, S, K, T, r, q, sigma, printed price; a futures option has q = r.
BOOKS = [
    ("Hull, European put futures option, Black's model", "P", "20", "20", "1/3", "0.09", "0.09", "0.25", "1.12"),
    ("Haug, Black-76, call on Brent futures", "C", "19", "19", "0.75", "0.1", "0.1", "0.28", "1.7011"),
    ("Haug, Black-76, put on Brent futures", "P", "19", "19", "0.75", "0.1", "0.1", "0.28", "1.7011"),
    ("Haug, Merton, put on a stock index", "P", "100", "95", "0.5", "0.1", "0.05", "0.2", "2.4648"),
    ("Haug, Garman-Kohlhagen, currency call", "C", "1.56", "1.6", "0.5", "0.06", "0.08", "0.12", "0.0291"),
]


def published(source, side, spot, strike, years, rate, carried, sigma, price):
    numerator, _, denominator = years.partition("/")
    time = D(numerator) / D(denominator or 1)
    spot, strike, rate, carried, sigma = map(D, (spot, strike, rate, carried, sigma))
    forward = spot * ((rate - carried) * time).exp()
    discount = (-rate * time).exp()
    value = black(forward, strike, time, sigma)["call" if side == "C" else "put"]
    unit = D(1).scaleb(D(price).as_tuple().exponent)
    assert abs(value * discount - D(price)) <= unit * D("0.51"), (source, value * discount)
    return {
        "source": source,
        "type": side,
        "S": float(spot),
        "K": float(strike),
        "T": float(time),
        "r": float(rate),
        "q": float(carried),
        "sigma": float(sigma),
        "printed_price": float(price),
        "forward": printed(forward),
        "discount": printed(discount),
        "undiscounted": printed(value),
        "discounted": printed(value * discount),
    }


def main():
    about = (
        "Undiscounted Black-76 to 18 digits, by make_black76.py beside it; T in whole seconds, year "
        "31,536,000 s. A grid row passes when |value - exact| <= 1e-7 * max(F, K) for call and put and "
        "Greeks agree to 1e-6 of their scale; published rows carry the printed price for reference. "
        "theta per year, vega per 1.00 of volatility."
    )
    vectors = {
        "about": about,
        "published": [published(*book) for book in BOOKS],
        "grid": list(grid()),
    }
    print(json.dumps(vectors, indent=0))


if __name__ == "__main__":
    main()
