"""The paper's tables and figure as experiments: what is to be computed, what is there already, and the rest."""
