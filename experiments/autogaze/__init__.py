"""What the gaze picks, what that costs and what it is worth."""
