-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION incipit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'append-only: a row of % is never changed or deleted', TG_TABLE_NAME;
END;
$$;
-- +goose StatementEnd
CREATE TRIGGER deployment_append_only BEFORE UPDATE OR DELETE ON deployment
	FOR EACH ROW EXECUTE FUNCTION incipit_append_only();
CREATE TRIGGER deployment_no_truncate BEFORE TRUNCATE ON deployment
	FOR EACH STATEMENT EXECUTE FUNCTION incipit_append_only();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
	FOR EACH ROW EXECUTE FUNCTION incipit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
	FOR EACH STATEMENT EXECUTE FUNCTION incipit_append_only();
CREATE TRIGGER release_no_update BEFORE UPDATE ON release
	FOR EACH ROW EXECUTE FUNCTION incipit_append_only();
