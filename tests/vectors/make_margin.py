#!/usr/bin/env python3
"""Margin vectors by an independent route: exact fractions, and a root to 40 digits.

Written from docs/margin-spec.md (3.3, 5.1 to 5.5), not from the Rust code. Standard library only.

    python3 tests/vectors/make_margin.py                  writes margin*.json beside this file
    python3 tests/vectors/make_margin.py --check FILE...  recomputes what each FILE expects

Exit status: 0 when all agree, 1 when a figure differs, 2 for bad arguments.
"""

import json
import random
import sys
from fractions import Fraction
from math import isqrt
from pathlib import Path

PPM = 1_000_000
YARD = 10**40

SPAN_16 = [
    {"k": [k, d], "v": v, "w_ppm": PPM}
    for k, d in ((0, 1), (1, 3), (-1, 3), (2, 3), (-2, 3), (1, 1), (-1, 1))
    for v in (1, -1)
] + [{"k": [3, 1], "v": 0, "w_ppm": 330_000}, {"k": [-3, 1], "v": 0, "w_ppm": 330_000}]

ABOUT = (
    "margin-spec 5.1 to 5.5 on values in atoms, from make_margin.py: exact fractions rounded down to "
    "the last digit printed. Ratios in ppm, depth in atoms (0: no size multiplier), lot_value = "
    "atoms of a lot, marks and arrays in atoms per lot, value_init = the value in Initial where it "
    "differs. A case passes when exact <= result <= exact + tolerance_atoms_above for maintenance "
    "and initial."
)


def ratio(ppm):
    return Fraction(ppm, PPM)


def root(square):
    """The square root of a fraction: exact where it has one, else 40 digits, rounded down."""
    exact = Fraction(isqrt(square.numerator), isqrt(square.denominator))
    if exact * exact == square:
        return exact
    return Fraction(isqrt(square.numerator * YARD * YARD // square.denominator), YARD)


def value(leg, initial):
    return leg.get("value_init", leg["value"]) if initial else leg["value"]


def shocks(asset, scenarios):
    """5.1: shock_s = max(k_s * range, -1)."""
    reach = ratio(asset["range"])
    return [max(Fraction(*s["k"]) * reach, Fraction(-1)) for s in scenarios]


def plain_losses(asset, scenarios, initial):
    """5.2: L_a(s) before any multiplier. Arrays have their cover inside (5.8)."""
    net = sum(value(leg, initial) for leg in asset["linear"])
    losses = []
    for index, (scenario, shock) in enumerate(zip(scenarios, shocks(asset, scenarios))):
        gained = ratio(scenario["w_ppm"]) * net * shock
        for option in asset.get("options", []):
            array = option["array"]
            gained += option["size"] * (array[index] if index < len(array) else 0)
        losses.append(-gained)
    return losses


def multiplier(asset, losses):
    """3.3: 1 + min(cap, D* / depth), D* = the unmultiplied scan over the range."""
    scan = max([Fraction(0)] + losses)
    if asset["depth"] == 0 or scan == 0:
        return Fraction(1)
    if asset["range"] == 0:
        return 1 + ratio(asset["conc_cap"])
    seen = scan / ratio(asset["range"])
    return 1 + min(ratio(asset["conc_cap"]), seen / asset["depth"])


def charged_losses(asset, scenarios, initial):
    """5.2: losses, never gains, times min(multiplier * factor, 1 / |shock| where it is down)."""
    plain = plain_losses(asset, scenarios, initial)
    factor = multiplier(asset, plain) * (ratio(asset["init_factor"]) if initial else 1)
    charged = []
    for loss, shock in zip(plain, shocks(asset, scenarios)):
        most = min(factor, 1 / -shock) if shock < 0 else factor
        charged.append(loss * most if loss > 0 else loss)
    return charged


def additions(asset, initial):
    """5.3: basis, floor and unwind of one asset."""
    held = {}
    for leg in asset["linear"]:
        held[leg["instrument"]] = held.get(leg["instrument"], 0) + value(leg, initial)
    long = sum(v for v in held.values() if v > 0)
    short = -sum(v for v in held.values() if v < 0)
    options = asset.get("options", [])
    short_lots = sum(-o["size"] for o in options if o["size"] < 0)
    # Positions and borrows: a token that is held needs nobody to unwind it.
    wound = sum(abs(v) for name, v in held.items() if name != "spot" or v < 0)
    wound += sum(abs(o["size"] * o["mark"]) for o in options)
    basis = ratio(asset["basis_rate"]) * min(long, short)
    floor = ratio(asset["som"]) * asset["lot_value"] * short_lots
    return basis, floor, ratio(asset["unwind_rate"]) * wound


def requirement(case, scenarios, initial):
    """5.4 and 5.5, with every part."""
    assets = case["assets"]
    losses = [charged_losses(asset, scenarios, initial) for asset in assets]
    scans = [max([Fraction(0)] + row) for row in losses]
    shares = [ratio(asset["b"]) for asset in assets]
    columns = range(len(scenarios))
    together = max([Fraction(0)] + [sum(row[s] for row in losses) for s in columns])
    factor = [sum(b * row[s] for b, row in zip(shares, losses)) for s in columns]
    one_factor = root(
        max([Fraction(0)] + factor) ** 2
        + sum((1 - b * b) * scan * scan for b, scan in zip(shares, scans))
    )
    gross = Fraction(3, 10) * sum(scans)
    parts = [additions(asset, initial) for asset in assets]
    cushion = sum(abs(o["size"]) for a in assets for o in a.get("options", []))
    scan = max(one_factor, together, gross)
    rule = ["one_factor", "systemic", "gross_floor"][[one_factor, together, gross].index(scan)]
    added = sum(map(sum, parts))
    lines = [
        {
            "scan": scan,
            # The first of equals, from 1; without a loss the first.
            "worst_scenario": row.index(scan) + 1 if scan > 0 else None,
            "basis": basis,
            "floor": floor,
            "unwind": unwind,
        }
        for row, scan, (basis, floor, unwind) in zip(losses, scans, parts)
    ]
    return {
        "total": scan + added + cushion,
        "X": one_factor,
        "Y": together,
        "gross_floor": gross,
        "additions": added,
        "cushion": cushion,
        "rule": rule,
        "assets": lines,
    }


def digits(exact):
    """A fraction with six digits, rounded down."""
    units, rest = divmod(int(exact * PPM // 1), PPM)
    return f"{units}.{rest:06d}"


def expected(case, scenarios):
    maintenance = requirement(case, scenarios, False)
    initial = requirement(case, scenarios, True)
    parts = {key: digits(maintenance[key]) for key in ("X", "Y", "gross_floor", "additions")}
    parts["cushion"] = maintenance["cushion"]
    parts["rule"] = maintenance["rule"]
    parts["assets"] = [
        {
            key: digits(line[key]) if isinstance(line[key], Fraction) else line[key]
            for key in line
            if line[key] is not None
        }
        for line in maintenance["assets"]
    ]
    options = sum(len(asset.get("options", [])) for asset in case["assets"])
    return {
        "maintenance": digits(maintenance["total"]),
        "initial": digits(initial["total"]),
        "maintenance_parts": parts,
        "tolerance_atoms_above": 24 + 20 * max(0, len(case["assets"]) - 1) + 16 * options,
    }


def differences(case, scenarios):
    """Where a case's expected figures are not ours. A millionth of an atom, and what a double holds
    of a figure, are forgiven; so is another scenario of exactly the same loss."""
    maintenance = requirement(case, scenarios, False)
    given = case["expected"]
    figures = [("maintenance", given["maintenance"], maintenance["total"])]
    figures.append(("initial", given["initial"], requirement(case, scenarios, True)["total"]))
    parts = given.get("maintenance_parts", {})
    for key in ("X", "Y", "gross_floor", "additions", "cushion"):
        if key in parts:
            figures.append((key, parts[key], maintenance[key]))
    if parts.get("rule", maintenance["rule"]) != maintenance["rule"]:
        yield f"rule: {parts['rule']}, ours {maintenance['rule']}"
    for index, line in enumerate(parts.get("assets", [])):
        ours = maintenance["assets"][index]
        for key in ("scan", "basis", "floor", "unwind"):
            if key in line:
                figures.append((f"assets[{index}].{key}", line[key], ours[key]))
        worst = line.get("worst_scenario")
        if worst and ours["scan"] > 0:
            row = charged_losses(case["assets"][index], scenarios, False)
            if row[worst - 1] != ours["scan"]:
                yield f"assets[{index}].worst_scenario: {worst}, ours {ours['worst_scenario']}"
    for name, theirs, exact in figures:
        off = abs(Fraction(str(theirs)) - exact)
        if off > Fraction(2, PPM) + abs(exact) / 10**15:
            yield f"{name}: {theirs}, ours {digits(exact)}"


def check(path):
    file = json.loads(Path(path).read_text())
    wrong = 0
    for case in file["cases"]:
        for line in differences(case, file.get("scenarios", SPAN_16)):
            wrong += 1
            print(f"{path}: {case['name']}: {line}", file=sys.stderr)
    print(f"{path}: cases {len(file['cases'])}, differences {wrong}")
    return wrong


# The cases


def asset(linear=(), options=(), **terms):
    """A plain asset: range 10%, b 0.9, factor 1.5, nothing added; `terms` change it."""
    plain = {
        "range": 100_000,
        "b": 900_000,
        "init_factor": 1_500_000,
        "basis_rate": 0,
        "som": 0,
        "unwind_rate": 0,
        "lot_value": 1_000_000,
        "depth": 0,
        "conc_cap": 0,
    }
    legs = [leg if isinstance(leg, dict) else {"instrument": leg[0], "value": leg[1]} for leg in linear]
    return {**plain, **terms, "linear": legs, "options": list(options)}


def option(size, mark, array):
    return {"size": size, "mark": mark, "array": array}


def spot(value, initial):
    return {"instrument": "spot", "value": value, "value_init": initial}


def call_array(lot, strike, extrinsic, reach):
    """A lot of a call by a made-up convex price, so that arrays of one strike fit each other: enough
    for margin, which takes arrays as they come."""

    def price(forward, wide):
        return max(forward - strike, 0) + max(0, wide - abs(forward - strike) // 2)

    now = price(lot, extrinsic)
    rows = []
    for scenario in SPAN_16:
        forward = max(0, lot + lot * reach * scenario["k"][0] // (scenario["k"][1] * PPM))
        moved = price(forward, extrinsic * (4 + scenario["v"]) // 4) - now
        rows.append(moved * scenario["w_ppm"] // PPM)
    return now, rows


def put_array(lot, strike, extrinsic, reach):
    """The put of the same series by parity."""
    call, rows = call_array(lot, strike, extrinsic, reach)
    moves = [
        lot * reach * s["k"][0] * s["w_ppm"] // (s["k"][1] * PPM * PPM) for s in SPAN_16
    ]
    return max(1, call - lot + strike), [row - move for row, move in zip(rows, moves)]


def edges():
    thousand = 1_000_000_000
    yield "empty: no asset at all", []
    yield "empty: an asset without a leg", [asset()]
    for size in (1, -1, 3, -7):
        yield f"tiny: {size} atoms", [asset([("perp", size)], range=333_333, unwind_rate=2_500)]
    for reach in (10_000, 333_333, 333_334, 500_000, 999_999, PPM):
        for name, size in (("long", thousand), ("short", -thousand)):
            yield f"range {reach} ppm, {name}", [asset([("perp", size)], range=reach)]
    for factor in (1_000_000, 2_500_000, 10_000_000):
        yield (
            f"never more than a long's value: init factor {factor} at range 45%",
            [asset([spot(thousand, thousand // 2)], range=450_000, init_factor=factor)],
        )
    # D* = |D| = 1,000 for a linear leg: at, just below and just above the cap of 1.
    for depth in (thousand, thousand + 1, thousand - 1, 10 * thousand, 1, thousand * 10**5):
        for size in (thousand, -thousand):
            legs = asset([("perp", size)], depth=depth, conc_cap=PPM)
            yield f"size multiplier: {size} against depth {depth}", [legs]
    yield "size multiplier at range 100%", [
        asset([("perp", -thousand)], range=PPM, depth=thousand, conc_cap=1_500_000)
    ]
    # Beyond a range of 1/3 the long's extreme stops at zero: D* comes from the single range.
    yield "size multiplier at range 50%, long and short", [
        asset([("perp", thousand)], range=500_000, depth=thousand, conc_cap=1_500_000, b=0),
        asset([("perp", -thousand)], range=500_000, depth=thousand, conc_cap=1_500_000, b=0),
    ]
    for share in (0, 1_000, 900_000):
        pair = [asset([("perp", size)], b=share) for size in (thousand, thousand)]
        yield f"two longs, b {share}", pair
        pair = [asset([("perp", size)], b=share) for size in (thousand, -thousand)]
        yield f"a long and a short, b {share}", pair
    for wide in (44, 45, 46):
        yield f"value of 2^{wide}", [asset([("perp", 1 << wide)], unwind_rate=2_500)]
        yield f"value of -2^{wide} in eight assets", [
            asset([("perp", -(1 << wide))], range=150_000 + index, b=900_000 - 1_000 * index)
            for index in range(8)
        ]


def shapes():
    rich = {"basis_rate": 10_000, "unwind_rate": 2_500, "som": 5_000}
    lot, reach = 10_000_000, 100_000
    terms = {**rich, "lot_value": lot}
    call, call_rows = call_array(lot, lot, lot // 20, reach)
    put, put_rows = put_array(lot, lot, lot // 20, reach)
    yield "calendar: near against far future", [
        asset([("fut1", 5_000_000_000), ("fut2", -5_100_000_000)], **rich)
    ]
    yield "calendar of three expiries beside a perp", [
        asset([("fut1", 9_000_000), ("fut2", -7_000_001), ("fut3", 999), ("perp", -3)], **rich)
    ]
    yield "one instrument in two legs is one position", [
        asset([("perp", 5_000_000_000), ("perp", -4_999_999_999), ("fut1", -1)], **rich)
    ]
    yield "borrow against a long perp", [
        asset([spot(-2_000_000_000, -2_200_000_000), ("perp", 2_000_000_000)], **rich)
    ]
    for sign, name in ((1, "long"), (-1, "short")):
        pair = [option(100 * sign, call, call_rows), option(100 * sign, put, put_rows)]
        yield f"straddle, {name}", [asset([], pair, **terms)]
        sized = asset([], pair, depth=500_000_000, conc_cap=2_000_000, **terms)
        yield f"straddle with a size multiplier, {name}", [sized]
        wide = asset([], pair, **{**terms, "range": 400_000})
        yield f"straddle at range 40% with arrays of 10%, {name}", [wide]
    yield "covered call: tokens and a short call", [
        asset([spot(1_000_000_000, 800_000_000)], [option(-100, call, call_rows)], **terms)
    ]
    yield "protective put", [
        asset([("perp", 1_000_000_000)], [option(100, put, put_rows)], **terms)
    ]
    yield "conversion: long future, short call, long put", [
        asset(
            [("fut1", 1_000_000_000)],
            [option(-100, call, call_rows), option(100, put, put_rows)],
            **terms,
        )
    ]
    far, far_rows = call_array(lot, 2 * lot, lot // 1000, reach)
    yield "far short calls: the floor series by series, no netting", [
        asset([], [option(-1_000, far, far_rows), option(999, call, call_rows)], **terms)
    ]
    yield "an option with a short array: the rest counts zero", [
        asset([], [option(-5, 40, [0, 0, 7, 9])], som=1, lot_value=3)
    ]
    yield "a straddle beside another asset's perp", [
        asset([], [option(-100, call, call_rows), option(-100, put, put_rows)], **terms),
        asset([("perp", -700_000_000)], b=450_000, **rich),
    ]
    for count in (1, 2, 3, 8, 15, 16, 24):
        for signs, name in (((1, 1), "longs"), ((1, -1), "longs and shorts")):
            rows = [
                asset(
                    [("perp", signs[index % 2] * (400_000_000 + 7_654_321 * index))],
                    range=50_000 + 10_007 * index,
                    b=1_000 * ((37 * index) % 901),
                    unwind_rate=2_500,
                )
                for index in range(count)
            ]
            yield f"{count} assets, {name}", rows


def drawn(seed, count, scenarios):
    """Random books; arrays are any numbers at all, since margin takes them as they come."""
    draw = random.Random(seed)

    def size(bits):
        return draw.choice((-1, 1)) * (draw.getrandbits(draw.randint(1, bits)) + 1)

    for number in range(count):
        rows = []
        for _ in range(draw.randint(1, 8)):
            legs = []
            for name in ("spot", "perp", "fut1", "fut2"):
                if draw.random() < 0.5:
                    held = size(40)
                    leg = {"instrument": name, "value": held}
                    if name == "spot":
                        cut = draw.randint(0, PPM)
                        leg["value_init"] = held * cut // PPM if held > 0 else held - held * cut // PPM
                    legs.append(leg)
            options = []
            for _ in range(draw.choice((0, 0, 1, 2, 3))):
                top = 10 ** draw.randint(1, 6)
                array = [draw.randint(-top, top) for _ in scenarios]
                options.append(option(size(11), draw.randint(1, top), array))
            rows.append(
                asset(
                    legs,
                    options,
                    range=draw.choice((draw.randint(5_000, 330_000), draw.randint(5_000, PPM))),
                    b=1_000 * draw.randint(0, 900),
                    init_factor=draw.randint(PPM, 3 * PPM),
                    basis_rate=draw.randint(0, 50_000),
                    som=draw.randint(0, 50_000),
                    unwind_rate=draw.randint(0, 10_000),
                    lot_value=draw.randint(10_000, 10**8),
                    depth=draw.choice((0, draw.getrandbits(draw.randint(20, 42)) + 1)),
                    conc_cap=draw.randint(0, 2 * PPM),
                )
            )
        yield f"drawn {number}", rows


def custom_scenarios():
    """24 of them, of other fractions, directions and covers than SPAN's."""
    listed = [(0, 1, 1, PPM), (0, 1, -1, PPM), (0, 1, 0, PPM)]
    for num, den, cover in (
        (1, 7, PPM),
        (1, 4, 999_999),
        (2, 5, PPM),
        (3, 4, PPM),
        (9, 8, 950_000),
        (7, 5, 800_000),
        (5, 2, 450_000),
        (4, 1, 260_000),
        (11, 1, 100_000),
        (13, 3, 1),
    ):
        listed += [(num, den, 1, cover), (-num, den, -1, cover)]
    listed.append((-1, 1, 0, PPM))
    return [{"k": [num, den], "v": v, "w_ppm": w} for num, den, v, w in listed]


def write(name, scenarios, cases):
    folder = Path(__file__).resolve().parent
    rows = []
    for title, assets in cases:
        case = {"name": title, "assets": assets}
        case["expected"] = expected(case, scenarios)
        rows.append("  " + json.dumps(case))
    head = f' "about": {json.dumps(ABOUT)},\n "scenarios": {json.dumps(scenarios)},\n "cases": [\n'
    (folder / name).write_text("{\n" + head + ",\n".join(rows) + "\n ]\n}\n")
    print(f"{name}: {len(rows)} cases")


def main(given):
    if given in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if given and given[0] == "--check" and given[1:]:
        return 1 if sum([check(path) for path in given[1:]]) else 0
    if given:
        print(f"error: unexpected arguments {given}; try --help", file=sys.stderr)
        return 2
    cases = [*edges(), *shapes(), *drawn(5, 40, SPAN_16)]
    write("margin.json", SPAN_16, cases)
    others = custom_scenarios()
    plain = [case for case in edges() if "2^" not in case[0]]
    write("margin-scenarios.json", others, [*plain, *drawn(54, 30, others)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
