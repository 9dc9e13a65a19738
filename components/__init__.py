"""KFP components, one file a stage: typed artifacts in, one library call, typed artifacts out."""
