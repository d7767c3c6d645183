"""The machine: values, interfaces, the pipeline and everything around it. Knows no concrete strategy."""
