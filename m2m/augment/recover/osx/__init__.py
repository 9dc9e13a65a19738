"""OSX (IDEA-Research/OSX, CVPR 2023), the paper's recoverer: a network looks at every person, in every frame."""
