"""What a strategy may see: values, views, interfaces and errors. Imports torch and itself, nothing else of ours."""
