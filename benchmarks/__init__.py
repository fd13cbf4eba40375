"""What a message costs: this extension and its peers, side by side, over several links (``python -m benchmarks``)."""
