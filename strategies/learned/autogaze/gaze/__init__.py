"""The gaze model: it picks patches frame by frame and predicts the loss that every pick leaves."""
