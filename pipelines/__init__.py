"""KFP pipelines: wiring only. `python -m pipelines run | compile`."""
