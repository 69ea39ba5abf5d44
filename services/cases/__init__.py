"""Case handling (政务服务办件): items, cases, work queues, exchange with other regions, delivery, ratings, statistics."""
