"""What tests need, ours and those of third parties: the conformance kit and made-up values."""
