"""What can be done with items, cases, tasks, exchanges, deliveries, ratings, statistics and calendars."""
