"""What was found, for others: lines, a durable store, a webhook, intervals, a page."""
