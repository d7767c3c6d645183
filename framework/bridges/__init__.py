"""Ways for other programs to run our pipelines. Nothing of ours imports these modules."""
