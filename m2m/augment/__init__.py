"""The paper's figure 2: detect, inpaint, recover, compose, verify."""
