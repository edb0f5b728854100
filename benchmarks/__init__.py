"""Speed and accuracy, side by side with peers; results as files beside the code that measures them."""
