-- +goose Up
-- What people are writing, one of each prompt and person. base, base_files,
-- files and proposed are JSON. One that was discarded has the files '', and
-- keeps its number: what was saved before must not pass for what comes after.
CREATE TABLE draft (
	prompt     TEXT   NOT NULL,
	owner      TEXT   NOT NULL,
	number     BIGINT NOT NULL,
	base       TEXT   NOT NULL,
	base_files TEXT   NOT NULL,
	files      TEXT   NOT NULL,
	proposed   TEXT   NOT NULL,
	updated_us BIGINT NOT NULL,
	seal       BYTEA  NOT NULL,
	PRIMARY KEY (prompt, owner)
);
CREATE INDEX draft_owner ON draft (owner);
