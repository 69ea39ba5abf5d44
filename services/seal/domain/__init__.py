"""What the seal service knows without any input or output: states, rules and conclusions. Time is passed in."""
