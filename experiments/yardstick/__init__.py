"""All methods by one protocol: thresholds, accuracy and operations, each method as published and tuned."""
