"""Training and evaluation: the stages of the pipeline, their configuration, and what they leave behind.

- `settings`, `conf`: every setting with its default, and what the demo sets otherwise
- `cli`, `stages`: the command `trainer stage=NAME`, read once into plain configuration
- `demo_corpus`: synthetic emotional speech, made with espeak-ng
- `dataset`, `features`, `curriculum`: an annotated data set, its log-mel features, which example is in which batch
- `sft`, `reward`, `grpo`: the three kinds of training; `modules` and `fit` are what they share with Lightning
- `predict`, `metrics`, `baselines`, `evaluate`: answers on unseen speakers, and what they are to be compared with
- `tracking`, `progress`: metrics for MLflow, kept and sent later while it is away; progress on the terminal
- `checkpoint`: a policy's folder, as `explainer` reads it
- `report`: one HTML page from a finished pipeline run
- `errors`: everything this application raises itself

Nothing is imported here: a stage loads only what it needs.
"""
