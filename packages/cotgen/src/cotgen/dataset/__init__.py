"""The data set: one format, one function that writes it, one class that reads it.

```
dataset.json                 what was asked for, versions, counts, SHA-256 of every other file; written last
measured.jsonl               MeasuredUtterance, with levels         traces.jsonl   ReasoningTrace, claims verified
emotioncot.jsonl             the same rows in the published form    dataset.parquet   and as columns, when asked for
sft.jsonl                    SFTExample, by row, then those about comparative clips
clips.jsonl                  ComparativeClip                        comparative/*.flac   and their sound
scale.json                   the level scale that levels refer to
errors.jsonl                 FailedItem of everything that was left out, at whatever stage
duplicates.jsonl             near-duplicate texts                   card.json, CARD.md   the data card
```

Line n of `measured`, `traces` and `emotioncot` is of the same utterance. Above `shard_rows` lines these, `sft` and the
Parquet file are numbered shards (`traces-00002-of-00012.jsonl`, see `speech_records.shards`). `docs/dataset.md`
describes every field of `dataset.json`.

- `building`: `build`, which writes; `source`: what it writes from
- `joining`: `join`, which makes one data set of several
- `reading`: `DataSet`, which reads
- `describing`: the card and `dataset.json`, written last
- `card`, `checks`, `duplicates`, `parquet`: the data card; speakers and near-duplicates across rows; columns
- `stats`: what traces hold, counted
"""

from cotgen.dataset.building import BuildConfig, build
from cotgen.dataset.reading import DataSet
from cotgen.dataset.source import Source

__all__ = ["BuildConfig", "DataSet", "Source", "build"]
