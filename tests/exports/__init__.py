"""
Generated exports with known truth, and a judge: is a figure right, or does the load say why not?

``deals``
    Random deals.
``style``, ``dirt``
    How one computer writes numbers, dates and text, and what else stands in an export.
``shapes``
    The exports of some thirty programs, and sheets that people keep by hand. Their names come from public
    documentation, never from the loader's own table.
``shape``, ``files``, ``xlsx``
    An export made of a shape, a style and a seed, as CSV, JSON, XLSX or Parquet.
``judge``
    Loads an export as a user would, answers one question at most, and compares counts, values by currency, and each
    field of each deal.

``make exports`` judges 1,000 of them; ``python -m exports --only HubSpot --keep DIR`` keeps what is not right. The
default tests judge a sample, and compare the silent errors with those in ``expected.json``.
"""
