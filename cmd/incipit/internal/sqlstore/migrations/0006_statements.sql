-- +goose Up
-- What was said of a digest as it was signed, beside the evidence that it is. A
-- table of its own: programs of before read and write evidence as they did.
CREATE TABLE statement (
	evidence TEXT  NOT NULL PRIMARY KEY REFERENCES evidence (id),
	envelope TEXT  NOT NULL,
	seal     BYTEA NOT NULL
);
