"""A synthetic corpus of emotional speech, made on the spot: espeak-ng speaks, distributions give the prosody.

- `build`: the whole corpus, resumable, the same bytes for the same seed
- `design`: the prosody of each emotion, with sources
- `voices`, `texts`: who speaks, and what
- `espeak`: the library behind the voices
- `sound`: whispering, levels, the recording
- `speaker`: one voice's clips, in a process of its own

Voices, sentences and emotions are fully crossed, so neither voice nor sentence tells the emotion; test voices are
never heard in training. This is no substitute for people: it exercises the pipeline, and every record says `synthetic`.
"""

from trainer.demo_corpus.build import DemoCorpusReport, build

__all__ = ["DemoCorpusReport", "build"]
