"""Sources of videos and what becomes a data set of them."""
