-- +goose Up
-- A rollout that the guard follows: one row from its beginning on, replaced as
-- it goes. version grows with each write, and whoever writes says which one
-- they saw. detector: what is known of the calls up to cursor, in the guard's
-- own bytes; begun is what cursor was before the first.
CREATE TABLE rollout (
	environment TEXT    NOT NULL REFERENCES environment (name),
	prompt      TEXT    NOT NULL REFERENCES prompt (id),
	opened_seq  BIGINT  NOT NULL,
	rules       TEXT    NOT NULL,
	state       TEXT    NOT NULL,
	detector    BYTEA   NOT NULL,
	cursor      BIGINT  NOT NULL,
	begun       BIGINT  NOT NULL,
	since_us    BIGINT  NOT NULL,
	at_us       BIGINT  NOT NULL,
	ended       BOOLEAN NOT NULL,
	version     BIGINT  NOT NULL,
	seal        BYTEA   NOT NULL,
	PRIMARY KEY (environment, prompt, opened_seq)
);
CREATE INDEX rollout_open ON rollout (environment, prompt) WHERE NOT ended;

-- A release that serves everybody and is watched for changes: one row for each
-- place, replaced as it goes. deployment_seq is the record by which it serves
-- everybody; state is what is known of its calls up to cursor, and what they are
-- compared with, in the guard's own bytes. version is as in rollout.
CREATE TABLE steady (
	environment    TEXT    NOT NULL REFERENCES environment (name),
	prompt         TEXT    NOT NULL REFERENCES prompt (id),
	deployment_seq BIGINT  NOT NULL,
	state          BYTEA   NOT NULL,
	cursor         BIGINT  NOT NULL,
	since_us       BIGINT  NOT NULL,
	at_us          BIGINT  NOT NULL,
	alarmed        BOOLEAN NOT NULL,
	quiet_us       BIGINT  NOT NULL,
	version        BIGINT  NOT NULL,
	seal           BYTEA   NOT NULL,
	PRIMARY KEY (environment, prompt)
);

-- What was decided in a rollout, or of a release that serves everybody, with what it rests on. Rows are only added.
CREATE TABLE decision (
	environment    TEXT   NOT NULL,
	prompt         TEXT   NOT NULL,
	opened_seq     BIGINT NOT NULL,
	seq            BIGINT NOT NULL,
	at_us          BIGINT NOT NULL,
	kind           TEXT   NOT NULL,
	actor          TEXT   NOT NULL,
	verdict        TEXT   NOT NULL,
	message        TEXT   NOT NULL,
	share          BIGINT NOT NULL,
	deployment_seq BIGINT NOT NULL,
	cursor         BIGINT NOT NULL,
	evidence       TEXT   NOT NULL,
	seal           BYTEA  NOT NULL,
	PRIMARY KEY (environment, prompt, opened_seq, seq)
);

-- Who of several replicas does what one alone may do. beat grows while the
-- holder lives; who takes over raises epoch. No clock is compared.
CREATE TABLE lease (
	name   TEXT   NOT NULL PRIMARY KEY,
	holder TEXT   NOT NULL,
	epoch  BIGINT NOT NULL,
	beat   BIGINT NOT NULL
);
