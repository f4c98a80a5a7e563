"""A data set on disk: built as a stream, described by a card, checked row by row.

- `building`: from measurements to shards, continued where it was stopped
- `card`, `checks`, `duplicates`: the data card; speakers and near-duplicates across rows
- `parquet`: the same rows as columns
- `stats`: figures of a finished data set
"""
