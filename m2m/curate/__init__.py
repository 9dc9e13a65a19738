"""K-NEXUS: which classes of a data set stand for all of them."""
