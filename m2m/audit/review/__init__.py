"""A person looks: doubtful frames, a random sample with plants, decisions, and what follows from them."""
