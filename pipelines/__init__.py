"""KFP pipelines: wiring only. `python -m pipelines run | submit | schedule | compile`."""
