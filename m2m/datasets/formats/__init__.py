"""One reader an official format: from annotation files to the videos that they list."""
