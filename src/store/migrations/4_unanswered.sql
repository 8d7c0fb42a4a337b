ALTER TABLE outbox ADD COLUMN unanswered BIGINT NOT NULL DEFAULT 0;

UPDATE outbox SET unanswered = 1 WHERE attempts > 0 AND state <> 'delivered';
