"""TensorFlow Serving's behaviour over REST, row by row, asked of a real server process."""
