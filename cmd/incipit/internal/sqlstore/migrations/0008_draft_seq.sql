-- +goose Up
-- seq: which change of any draft the last one of this was; open editors follow
-- it. It says nothing of what is written, so the seal does not cover it, and a
-- program of before, which leaves it as it is, works on. meta has the last one.
ALTER TABLE draft ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX draft_seq ON draft (seq);
INSERT INTO meta (name, number, text) VALUES ('drafts', 0, '');
