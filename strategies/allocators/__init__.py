"""Budget allocators: share the budget between the visited groups. One idea per file."""
