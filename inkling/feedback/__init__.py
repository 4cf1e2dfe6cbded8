"""What was shown, and what came of it: outcomes joined to answers, counted by arm, and what is learned from them."""
