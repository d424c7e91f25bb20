#!/usr/bin/env python3
"""Reads the results of a sweep over m and p with Python's standard library.

Prints, for every p, the smallest m whose bubble ratio is at most 1.1.
usage: examples/sweep/read.py RESULTS.jsonl|RESULTS.csv
"""

import csv
import json
import sys
from decimal import Decimal


def read(path):
    """The points that were simulated, a dict each: in CSV, every value of it is text."""
    with open(path, encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            points = csv.DictReader(file)
        else:
            # As decimals, numbers stay those that pipesim has written.
            points = (json.loads(line, parse_float=Decimal) for line in file)
        return [point for point in points if point["status"] == "ok"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    smallest = {}
    for point in read(sys.argv[1]):
        p, m = int(point["p"]), int(point["m"])
        if Decimal(point["bubble_ratio"]) <= Decimal("1.1"):
            smallest[p] = min(m, smallest.get(p, m))
    for p, m in sorted(smallest.items()):
        print(f"p={p}: m={m}")


main()
