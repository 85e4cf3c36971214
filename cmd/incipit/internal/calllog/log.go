package calllog

import (
	"io"
	"log/slog"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config says where calls are kept. Dir or URL must be set, and Now, Random and
// Log.
type Config struct {
	Dir string // of the server's data; calls are in calls/ below it
	URL string // postgres://user@host/database

	KeepCalls   time.Duration // 0 is 30 days; at least 8 days: what is sent again is known for 7
	KeepMinutes time.Duration // rollups of minutes; 0 is 2 days
	KeepHours   time.Duration // rollups of hours; 0 is KeepCalls
	KeepRollups time.Duration // rollups of days; 0 is 400 days

	Now    func() time.Time
	Random io.Reader
	Log    *slog.Logger
}

// An Entry is a call to be kept. Call.Subject, Input and Output are kept as
// they are: what must not be kept is taken out before.
type Entry struct {
	Call    *registry.Call // its id is set; it was checked
	Subject SubjectHash
}

// A SubjectHash is a keyed hash of a subject. The zero one is none.
type SubjectHash [16]byte

// A Record is a call as it is kept.
type Record struct {
	Seq     int64
	Call    registry.Call
	Subject SubjectHash
}

// A Row is the rollup of a series over a span of time.
type Row struct {
	Start time.Time
	Span  time.Duration // a minute, an hour or a day
	telemetry.Series
	telemetry.Rollup
}

// A Rating is feedback for a call.
type Rating struct {
	Ref string // a call's id, or the provider's id of a response: then of the newest such call
	registry.Feedback
	// Grants are the sender's: feedback that waits counts only for a call that
	// they let it record.
	Grants []registry.Grant
}
