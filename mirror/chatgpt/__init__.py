"""The only place that knows chatgpt.com."""
