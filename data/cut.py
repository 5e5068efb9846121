#!/usr/bin/env python3
"""Cuts the samples in this folder from the flights file of 3,000,000 rows: `cut.py flights-3m.parquet`.

The rule is in README.md. Needs pyarrow; writes beside itself.
"""

import csv
import json
import pathlib
import sys

import pyarrow.parquet as parquet

ROWS_SKIPPED = 150  # rows 0, 150, 300, ...: 20,000 of 3,000,000
TEXT_ROWS_SKIPPED = 100  # of those, rows 0, 100, 200, ...: 200
ROW_GROUP_ROWS = 5_000  # several row groups, so that a reader crosses their borders

here = pathlib.Path(__file__).resolve().parent
whole = parquet.read_table(sys.argv[1])
sample = whole.take(list(range(0, whole.num_rows, ROWS_SKIPPED)))
parquet.write_table(
    sample, here / "flights-sample.parquet", row_group_size=ROW_GROUP_ROWS, compression="zstd", compression_level=19
)

rows = sample.take(list(range(0, sample.num_rows, TEXT_ROWS_SKIPPED))).to_pylist()
for row in rows:
    row["date"] = row["date"].isoformat()
with open(here / "flights-sample.jsonl", "w", encoding="utf-8", newline="\n") as lines:
    for row in rows:
        lines.write(json.dumps(row, separators=(",", ":")) + "\n")
with open(here / "flights-sample.csv", "w", encoding="utf-8", newline="") as table:
    writer = csv.DictWriter(table, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
