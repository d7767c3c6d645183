"""The loop: how groups are shown, what a question has seen so far, and what every stage costs."""
