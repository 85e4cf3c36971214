package calllog

import (
	"maps"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// seenOrigins bounds how many origins of a day are remembered.
	seenOrigins = 20_000
	// seenWaiting bounds how many references are remembered for which feedback
	// waits. Beyond, the table is asked each time.
	seenWaiting = 500_000
)

// A memory spares questions to the database. What it says is in the database is
// there; what it says is not waiting does not wait.
type memory struct {
	origins map[day]map[int64]bool

	// For each feedback that waits, what it waits for. There may be more than
	// wait still.
	read  bool  // what waits was read
	upTo  int64 // the last number of what was read
	calls map[registry.CallID]bool
	texts map[int64]bool // hashes of references that are no ids
	many  bool

	// What was written last, as long as nobody else has written since.
	head    int64 // the last number that we gave out, -1 if we cannot know
	rollups map[rollupOf]*telemetry.Rollup
}

// A rollupOf is a rollup in the table of a day.
type rollupOf struct {
	day day
	rollupKey
}

// seenRollups bounds how many rollups are remembered: a few kilobytes each.
const seenRollups = 2000

// alone reports whether nobody has written since we did, and forgets what others
// may have changed. before is the last number before this transaction.
func (m *memory) alone(before int64) bool {
	if m.head != before {
		clear(m.rollups)
	}
	return m.head == before
}

// wrote remembers rollups as they are in the database, and the last number that
// was given out.
func (m *memory) wrote(all map[rollupOf]*telemetry.Rollup, head int64) {
	if m.rollups == nil || len(m.rollups)+len(all) > seenRollups {
		m.rollups = make(map[rollupOf]*telemetry.Rollup)
	}
	if len(all) <= seenRollups {
		maps.Copy(m.rollups, all)
	}
	m.head = head
}

// unsure forgets what was written last: something else is under way.
func (m *memory) unsure() {
	m.head = -1
	clear(m.rollups)
}

// origin reports whether an origin of a day is there for sure.
func (m *memory) origin(d day, id int64) bool { return m.origins[d][id] }

// keep remembers what was committed.
func (m *memory) keep(written []*row) {
	if m.origins == nil {
		m.origins = make(map[day]map[int64]bool)
	}
	for _, r := range written {
		of := m.origins[r.day]
		if of == nil || len(of) >= seenOrigins {
			if len(m.origins) > 40 {
				clear(m.origins)
			}
			of = make(map[int64]bool)
			m.origins[r.day] = of
		}
		of[r.origin.id] = true
	}
}

// waits remembers that feedback waits for ref.
func (m *memory) waits(ref string, seq int64) {
	m.upTo = max(m.upTo, seq)
	if m.calls == nil {
		m.calls, m.texts = make(map[registry.CallID]bool), make(map[int64]bool)
	}
	if len(m.calls)+len(m.texts) >= seenWaiting {
		m.many = true
		clear(m.calls)
		clear(m.texts)
	}
	if m.many {
		return
	}
	if id, err := registry.ParseCallID(ref); err == nil {
		m.calls[id] = true
	}
	m.texts[hashText(ref)] = true
}

// awaited reports whether feedback may wait for a call.
func (m *memory) awaited(r *row) bool {
	return m.many || m.calls[r.call.ID] || len(m.texts) > 0 && r.response.Known && m.texts[r.awaited()]
}

// awaited is the hash of the reference under which feedback waits for the
// response.
func (r *row) awaited() int64 {
	if ref := refOf(r.call.ResponseID); ref != r.call.ResponseID {
		return hashText(ref)
	}
	return r.response.Value
}
