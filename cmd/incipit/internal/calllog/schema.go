package calllog

import (
	"strconv"
	"strings"
)

// schema is the number of the schema below. A program may use tables of a newer
// one, which adds columns that may be missing and nothing else, as long as
// call_head.compatible is not above its own number. A program that adds a
// column adds it to the days that there are as it opens the log: call_day.schema
// says which they have.
const schema = 1

// Of the texts below, {day} is a day, and the words in braces are what differs
// between the two databases.
const (
	// commonTables are those that no day has: in SQLite in common.db.
	//
	// call_head has one row. In PostgreSQL whoever writes locks it first, so
	// numbers are in the order of commits, and two writers never race for an
	// id. In SQLite it is what the number is at most.
	//
	// call_day has the days whose tables are there; days before call_head.floor
	// are retired, and those that have no row are gone altogether.
	commonTables = `
CREATE TABLE IF NOT EXISTS call_head (
	id         BIGINT PRIMARY KEY,
	seq        BIGINT NOT NULL,
	floor      BIGINT NOT NULL, -- a day such as 20261122, 0 is none
	schema     BIGINT NOT NULL,
	compatible BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS call_day (
	day     BIGINT PRIMARY KEY, -- 20261122
	retired BOOLEAN NOT NULL,   -- its rollups are in rollup_kept, its tables are about to go
	schema  BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS feedback_waiting (
	ref     TEXT NOT NULL, -- a call's id, in lower case, or a response's
	name    TEXT NOT NULL,
	by_name TEXT NOT NULL,
	seq     BIGINT NOT NULL,
	value   DOUBLE PRECISION NOT NULL,
	comment TEXT NOT NULL,
	grants  TEXT NOT NULL, -- JSON
	at_us   BIGINT NOT NULL,
	PRIMARY KEY (ref, name, by_name)
);
CREATE INDEX IF NOT EXISTS feedback_waiting_seq ON feedback_waiting (seq);
CREATE TABLE IF NOT EXISTS rollup_kept (
	day         BIGINT NOT NULL, -- of the ids of the calls; start_us may be of another
	` + rollupTable + `,
	PRIMARY KEY (day, prompt, environment, span, start_us, version, arm)
){clustered};
CREATE INDEX IF NOT EXISTS rollup_kept_prompt ON rollup_kept (prompt, environment, span, start_us);
`

	// dayTables are those of a day.
	dayTables = `
CREATE TABLE IF NOT EXISTS call_{day} (
	seq           {seq},
	id            {bytes} NOT NULL, -- 16
	origin        BIGINT NOT NULL,  -- of origin_{day}
	started_us    BIGINT NOT NULL,
	latency_us    BIGINT NOT NULL,
	ttft_us       BIGINT,
	input_tokens  BIGINT,
	output_tokens BIGINT,
	cached_tokens BIGINT,
	cost_nano     BIGINT,
	outcome       SMALLINT NOT NULL,
	response_hash BIGINT,
	response_id   TEXT,
	satisfaction  DOUBLE PRECISION, -- what the rollups count: feedback replaces what came with the call
	subject_hash  {bytes},
	subject       TEXT,
	tags          TEXT, -- JSON
	input         TEXT,
	output        TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS call_{day}_id ON call_{day} (id);
CREATE INDEX IF NOT EXISTS call_{day}_response ON call_{day} ((seq / {part}), response_hash) WHERE response_hash IS NOT NULL;
CREATE TABLE IF NOT EXISTS origin_{day} (
	id            BIGINT PRIMARY KEY,
	prompt        TEXT NOT NULL,
	environment   TEXT NOT NULL,
	version       TEXT NOT NULL,
	arm           TEXT NOT NULL,
	rollout       TEXT NOT NULL,
	share         BIGINT, -- thousandths of a percent
	model         TEXT NOT NULL,
	finish_reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rollup_{day} (
	` + rollupTable + `,
	PRIMARY KEY (prompt, environment, span, start_us, version, arm)
){clustered}{updated};
CREATE TABLE IF NOT EXISTS feedback_{day} (
	call_id {bytes} NOT NULL,
	name    TEXT NOT NULL,
	seq     BIGINT NOT NULL,
	value   DOUBLE PRECISION NOT NULL,
	comment TEXT NOT NULL,
	by_name TEXT NOT NULL,
	at_us   BIGINT NOT NULL,
	PRIMARY KEY (call_id, name)
);
CREATE INDEX IF NOT EXISTS feedback_{day}_seq ON feedback_{day} (seq);
`

	rollupTable = `prompt          TEXT NOT NULL,
	environment     TEXT NOT NULL,
	span            BIGINT NOT NULL, -- seconds: 60, 3600 or 86400
	start_us        BIGINT NOT NULL,
	version         TEXT NOT NULL,
	arm             TEXT NOT NULL,
	calls           BIGINT NOT NULL,
	cancelled       BIGINT NOT NULL,
	provider_errors BIGINT NOT NULL,
	prompt_errors   BIGINT NOT NULL,
	timeouts        BIGINT NOT NULL,
	unknown_errors  BIGINT NOT NULL,
	input_known     BIGINT NOT NULL,
	input_tokens    BIGINT NOT NULL,
	output_known    BIGINT NOT NULL,
	output_tokens   BIGINT NOT NULL,
	cached_known    BIGINT NOT NULL,
	cached_tokens   BIGINT NOT NULL,
	cost_known      BIGINT NOT NULL,
	cost_nano       BIGINT NOT NULL,
	priced_tokens   BIGINT NOT NULL,
	priced_nano     BIGINT NOT NULL,
	latency_sum_us  BIGINT NOT NULL,
	ratings         BIGINT NOT NULL,
	rating_sum      DOUBLE PRECISION NOT NULL,
	rating_squares  DOUBLE PRECISION NOT NULL,
	latency         {bytes} NOT NULL,
	first_token     {bytes} NOT NULL`
)

// The outcomes as call_{day}.outcome has them.
const (
	outcomeOK        = 0
	outcomeProvider  = 1
	outcomePrompt    = 2
	outcomeTimeout   = 3
	outcomeError     = 4 // without a class
	outcomeCancelled = 5
	outcomeErased    = 9 // the id stays, and nothing that tells of a person
)

// words are those of SQLite and of PostgreSQL.
func sqliteWords(text string) string {
	return strings.NewReplacer("{part}", strconv.Itoa(partOf), "{seq}", "INTEGER PRIMARY KEY", "{bytes}", "BLOB", "{clustered}", " WITHOUT ROWID", "{updated}", "").Replace(text)
}

func postgresWords(text string) string {
	// A rollup is written anew with each group: half of a page is left for that.
	return strings.NewReplacer("{part}", strconv.Itoa(partOf), "{seq}", "BIGINT PRIMARY KEY", "{bytes}", "BYTEA", "{clustered}", "", "{updated}", " WITH (fillfactor = 50)").Replace(text)
}
