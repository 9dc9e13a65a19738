"""Training and its measurement: pretrain, align, evaluate. Only `params` is quick to import; the rest needs torch."""
