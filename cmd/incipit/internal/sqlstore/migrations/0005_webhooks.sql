-- +goose Up
-- wants: the kinds, environments and prompts that it is told of. last_seq: the
-- last number that a delivery got. holder and lease_us: who sends to it, until
-- when; nobody else does before that.
CREATE TABLE webhook (
	id         TEXT   NOT NULL PRIMARY KEY,
	url        TEXT   NOT NULL,
	format     TEXT   NOT NULL,
	wants      TEXT   NOT NULL,
	created_us BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	seal       BYTEA  NOT NULL,
	paused_us  BIGINT NOT NULL,
	last_seq   BIGINT NOT NULL,
	holder     TEXT   NOT NULL,
	lease_us   BIGINT NOT NULL
);

-- The outbox: a notice for a webhook, written with what it tells of. status and
-- error are of the last attempt.
CREATE TABLE delivery (
	webhook   TEXT   NOT NULL REFERENCES webhook (id),
	seq       BIGINT NOT NULL,
	id        TEXT   NOT NULL UNIQUE,
	notice    TEXT   NOT NULL,
	state     TEXT   NOT NULL,
	attempts  BIGINT NOT NULL,
	queued_us BIGINT NOT NULL,
	next_us   BIGINT NOT NULL,
	ended_us  BIGINT NOT NULL,
	status    BIGINT NOT NULL,
	error     TEXT   NOT NULL,
	PRIMARY KEY (webhook, seq)
);
CREATE INDEX delivery_waiting ON delivery (webhook, seq) WHERE state = 'waiting';
