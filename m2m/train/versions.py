"""Version of the training's code, part of every fingerprint: raised when it makes something else of the same input."""

CODE_VERSION = "train/2"
