"""From labels to a student: how old labels count, self-training, and the way to a bundle."""
