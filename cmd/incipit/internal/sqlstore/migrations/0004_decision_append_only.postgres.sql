-- +goose Up
CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE ON decision
	FOR EACH ROW EXECUTE FUNCTION incipit_append_only();
CREATE TRIGGER decision_no_truncate BEFORE TRUNCATE ON decision
	FOR EACH STATEMENT EXECUTE FUNCTION incipit_append_only();
