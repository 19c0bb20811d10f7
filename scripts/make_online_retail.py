"""Makes the bundled dataset from UCI's Online Retail: ``python scripts/make_online_retail.py RAW.parquet``.

RAW: the workbook's rows in their order, as columns user (CustomerID), item (StockCode), timestamp
(InvoiceDate, seconds since 1970) and quantity.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

BUNDLED = Path(__file__).parents[1] / "src" / "negsample" / "data" / "bundled"
ROWS, USERS, ITEMS = 397_924, 4_339, 3_665

TERMS = f"""# Online Retail

Chen, D. (2015). Online Retail [Dataset]. UCI Machine Learning Repository. https://doi.org/10.24432/C5BW33

Licensed under Creative Commons Attribution 4.0 International (CC BY 4.0):
https://creativecommons.org/licenses/by/4.0/. That licence holds for `online-retail.parquet` in this folder;
the rest of the package has its own.

The transactions of a British online shop of gifts, December 2010 to December 2011; many customers are
wholesalers. One row is one line of an invoice.

Changed here (by `scripts/make_online_retail.py`):

- rows without a customer left out, and rows whose quantity is not positive (returns and corrections);
  {ROWS:,} of 541,909 rows stay, {USERS:,} customers (`user`) and {ITEMS:,} stock codes (`item`);
- the columns kept are customer, stock code and invoice date, the last as seconds since 1970 (`timestamp`; the
  source names no zone, so it is read as UTC);
- invoice, description, quantity, price and country left out; the order of the rows is the source's.

Times are the invoice's, to the minute. All lines of an invoice have the same time, so a basket ties: inside
it the order is that of the file and means nothing. Stock codes that are no goods (`POST`, `M`, ...) are still
in.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("raw", type=Path, help="the raw log as Parquet")
    raw = pl.read_parquet(parser.parse_args().raw)
    clean = raw.filter(pl.col("user").is_not_null() & (pl.col("quantity") > 0)).select(
        pl.col("user").cast(pl.Int32), "item", pl.col("timestamp").cast(pl.Int32)
    )
    found = (clean.height, clean["user"].n_unique(), clean["item"].n_unique())
    assert found == (ROWS, USERS, ITEMS), f"not the file this was made from: {found}"
    BUNDLED.mkdir(exist_ok=True)
    clean.write_parquet(BUNDLED / "online-retail.parquet", compression="zstd", compression_level=22)
    (BUNDLED / "online-retail.md").write_text(TERMS)


if __name__ == "__main__":
    main()
