"""What each sub-command of ours is and says of itself, by what it does. Imports nothing heavy."""
