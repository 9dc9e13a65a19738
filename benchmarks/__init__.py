"""Speed and quality, measured on the machine at hand; each module prints a table. `make bench` runs all."""
