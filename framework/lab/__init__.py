"""The lab: a procedural world of videos and questions, and the tiny model of real architecture that lives in it."""
