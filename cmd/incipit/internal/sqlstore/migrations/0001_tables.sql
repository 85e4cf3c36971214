-- +goose Up
CREATE TABLE meta (
	name   TEXT   NOT NULL PRIMARY KEY,
	number BIGINT NOT NULL,
	text   TEXT   NOT NULL
);
-- compatible_from: the oldest schema whose program can work with this one.
-- generation: grows when a backup is restored. keys: grows with each change of
-- a key or a person, releases when releases were added.
INSERT INTO meta (name, number, text) VALUES
	('compatible_from', 1, ''),
	('generation', 1, ''),
	('instance', 0, ''),
	('keys', 1, ''),
	('releases', 1, '');

-- seal, here and below: a digest over what a row says, see seal.go.
CREATE TABLE environment (
	name     TEXT   NOT NULL PRIMARY KEY,
	position BIGINT NOT NULL,
	rules    TEXT   NOT NULL,
	seal     BYTEA  NOT NULL,
	revision BIGINT NOT NULL
);

-- version, model and maintainer are of the last release; '' for a prompt that
-- has none.
CREATE TABLE prompt (
	id         TEXT NOT NULL PRIMARY KEY,
	version    TEXT NOT NULL,
	model      TEXT NOT NULL,
	maintainer TEXT NOT NULL
);

CREATE TABLE release (
	prompt        TEXT   NOT NULL REFERENCES prompt (id),
	version       TEXT   NOT NULL,
	tag           TEXT   NOT NULL,
	commit_id     TEXT   NOT NULL,
	tag_object    TEXT   NOT NULL,
	digest        TEXT   NOT NULL,
	author        TEXT   NOT NULL,
	at_us         BIGINT NOT NULL,
	notes         TEXT   NOT NULL,
	prompt_json   TEXT   NOT NULL,
	metadata_json TEXT   NOT NULL,
	pins_json     TEXT   NOT NULL,
	seal          BYTEA  NOT NULL,
	PRIMARY KEY (prompt, version)
);

CREATE TABLE release_problem (
	tag     TEXT   NOT NULL PRIMARY KEY,
	code    TEXT   NOT NULL,
	detail  TEXT   NOT NULL,
	seen_us BIGINT NOT NULL
);

CREATE TABLE deployment (
	environment  TEXT   NOT NULL REFERENCES environment (name),
	prompt       TEXT   NOT NULL REFERENCES prompt (id),
	seq          BIGINT NOT NULL,
	revision     BIGINT NOT NULL,
	action       TEXT   NOT NULL,
	version      TEXT   NOT NULL,
	digest       TEXT   NOT NULL,
	from_version TEXT   NOT NULL,
	rollout      TEXT   NOT NULL,
	at_us        BIGINT NOT NULL,
	actor        TEXT   NOT NULL,
	reason       TEXT   NOT NULL,
	seal         BYTEA  NOT NULL,
	PRIMARY KEY (environment, prompt, seq),
	UNIQUE (environment, revision)
);

CREATE TABLE once (
	caller     TEXT   NOT NULL,
	once_key   TEXT   NOT NULL,
	hash       TEXT   NOT NULL,
	answer     TEXT   NOT NULL,
	created_us BIGINT NOT NULL,
	PRIMARY KEY (caller, once_key)
);
CREATE INDEX once_created ON once (created_us);

-- used_seq: the deployment that the approval let pass, 0 before.
CREATE TABLE approval (
	id          TEXT   NOT NULL PRIMARY KEY,
	prompt      TEXT   NOT NULL,
	environment TEXT   NOT NULL,
	version     TEXT   NOT NULL,
	digest      TEXT   NOT NULL,
	actor       TEXT   NOT NULL,
	at_us       BIGINT NOT NULL,
	reason      TEXT   NOT NULL,
	seal        BYTEA  NOT NULL,
	used_seq    BIGINT NOT NULL,
	revoked_us  BIGINT NOT NULL,
	audit_seq   BIGINT NOT NULL
);
CREATE INDEX approval_open ON approval (environment, prompt);

-- audit_seq: the audit event of the same moment, which orders them.
CREATE TABLE evidence (
	id        TEXT    NOT NULL PRIMARY KEY,
	prompt    TEXT    NOT NULL,
	digest    TEXT    NOT NULL,
	kind      TEXT    NOT NULL,
	passed    BOOLEAN NOT NULL,
	note      TEXT    NOT NULL,
	actor     TEXT    NOT NULL,
	at_us     BIGINT  NOT NULL,
	seal      BYTEA   NOT NULL,
	audit_seq BIGINT  NOT NULL
);
CREATE INDEX evidence_newest ON evidence (prompt, digest, kind, audit_seq);

CREATE TABLE api_key (
	id         TEXT    NOT NULL PRIMARY KEY,
	kind       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	person     BOOLEAN NOT NULL,
	grants     TEXT    NOT NULL,
	created_us BIGINT  NOT NULL,
	created_by TEXT    NOT NULL,
	expires_us BIGINT  NOT NULL,
	hash       BYTEA   NOT NULL,
	seal       BYTEA   NOT NULL,
	revoked_us BIGINT  NOT NULL
);

CREATE TABLE person (
	mail       TEXT   NOT NULL PRIMARY KEY,
	name       TEXT   NOT NULL,
	grants     TEXT   NOT NULL,
	created_us BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	seal       BYTEA  NOT NULL,
	revoked_us BIGINT NOT NULL
);

CREATE TABLE audit (
	seq         BIGINT NOT NULL PRIMARY KEY,
	at_us       BIGINT NOT NULL,
	actor       TEXT   NOT NULL,
	key_id      TEXT   NOT NULL,
	source      TEXT   NOT NULL,
	action      TEXT   NOT NULL,
	environment TEXT   NOT NULL,
	prompt      TEXT   NOT NULL,
	version     TEXT   NOT NULL,
	reason      TEXT   NOT NULL,
	request_id  TEXT   NOT NULL,
	detail      TEXT   NOT NULL,
	previous    TEXT   NOT NULL,
	hash        TEXT   NOT NULL
);
-- The last event, in the one row that every writer locks last.
CREATE TABLE audit_head (
	id   BIGINT NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	hash TEXT   NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

CREATE TABLE mirror (
	id          TEXT   NOT NULL PRIMARY KEY,
	environment TEXT   NOT NULL,
	prompt      TEXT   NOT NULL,
	revision    BIGINT NOT NULL,
	attempts    BIGINT NOT NULL,
	last_error  TEXT   NOT NULL,
	created_us  BIGINT NOT NULL
);

CREATE TABLE probe (
	id    BIGINT NOT NULL PRIMARY KEY,
	at_us BIGINT NOT NULL
);
