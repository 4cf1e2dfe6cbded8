"""What is known at time t: one path for training and serving, point in time."""
