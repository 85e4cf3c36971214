-- +goose Up
-- used_us: when a key last opened, to a quarter of an hour. It changes without an
-- event and opens nothing, so the seal does not cover it, and a program of before
-- leaves it as it is.
ALTER TABLE api_key ADD COLUMN used_us BIGINT NOT NULL DEFAULT 0;
