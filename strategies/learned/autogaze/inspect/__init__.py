"""What a trained gaze keeps of a video: `sieve gaze`, its pictures and its numbers."""
