package guard

import "slices"

// Where subjects stay on an arm, one subject's calls are one throw of the dice.
// units knows for which subjects the arm was bet on, so that nobody is bet on
// twice for one throw. Forgetting a subject would break the test; taking one
// for known who is not only costs a bet. So when the table of exact entries is
// full, the others go into a Bloom filter.
type units struct {
	table []unitEntry // open addressing, a power of two long
	used  int
	limit int // entries
	bloom []uint64
	words int // of the Bloom filter, once it is needed
}

// A unitEntry is a subject whose arm was seen.
type unitEntry struct {
	mark uint32 // of the subject; 0 is an empty place
	// where is the index of the share at which the arm was seen, with
	// onCandidate added for that arm; or forgotten.
	where uint8
}

const (
	onCandidate = 0x80
	forgotten   = 0x7f // at which share is not known: never bet on again
	maxShares   = 100  // that are told apart; others have the index forgotten
)

// newUnits makes room for so many exact entries and bits of the filter.
func newUnits(entries, bits int) units {
	return units{limit: entries, words: bits / 64}
}

// A draw is what is known of a subject's arm before it is looked at.
type draw struct {
	pi    float64 // probability that it is the candidate
	bet   bool    // it may be bet on
	known bool    // the arm is no news: it follows from earlier bets, or comes with this one
}

// draw says whether a subject may be bet on at a share.
//
// A subject has one place in [0,1) for the life of a rollout, and is on the
// candidate where the place is below the share. Who was found on the stable
// release at share a is somewhere in [a,1), so when the share has grown to b
// they are a fresh throw, of probability (b-a)/(1-a).
func (u *units) draw(unit uint64, s *shares, share float64) draw {
	if unit == 0 {
		return draw{share, share > 0 && share < 1, true}
	}
	if e := u.find(unit); e != nil {
		at, ok := s.at(e.where)
		switch {
		case !ok || s.mixed:
			return draw{}
		case e.where >= onCandidate:
			return draw{known: share >= at}
		case share <= at:
			return draw{known: true}
		}
		return draw{(share - at) / (1 - at), share < 1, true}
	}
	if u.filtered(unit, false) {
		return draw{}
	}
	return draw{share, share > 0 && share < 1, true}
}

// once reports whether a unit comes for the first time. It is for units that are
// assigned once, and need no place.
func (u *units) once(unit uint64) bool {
	if u.find(unit) != nil || u.filtered(unit, false) {
		return false
	}
	if u.used < u.limit {
		u.insert(unit, forgotten)
	} else {
		u.filtered(unit, true)
	}
	return true
}

// reveal notes the arm of a subject after its draw. It reports false if the arm
// contradicts what was known: subjects do not keep their places.
func (u *units) reveal(unit uint64, s *shares, share float64, candidate bool) bool {
	if unit == 0 || share == 0 {
		return true
	}
	where := uint8(s.index(share))
	if candidate && where != forgotten {
		where |= onCandidate
	}
	e := u.find(unit)
	switch {
	case e == nil && u.used < u.limit:
		u.insert(unit, where)
	case e == nil:
		u.filtered(unit, true)
	default:
		at, ok := s.at(e.where)
		switch {
		case !ok:
		case e.where >= onCandidate:
			return candidate || share < at
		case share <= at:
			return !candidate
		default:
			e.where = where
		}
	}
	return true
}

func (u *units) find(unit uint64) *unitEntry {
	if len(u.table) == 0 {
		return nil
	}
	mark, mask := fingerprint(unit), len(u.table)-1
	for i := home(mark) & mask; ; i = (i + 1) & mask {
		if e := &u.table[i]; e.mark == mark {
			return e
		} else if e.mark == 0 {
			return nil
		}
	}
}

func fingerprint(unit uint64) uint32 { return max(uint32(unit), 1) }

// home is where an entry is looked for first.
func home(mark uint32) int { return int(mark * 0x9e3779b1 >> 7) }

// insert adds a subject that is not there.
func (u *units) insert(unit uint64, where uint8) {
	if (u.used+1)*4 > len(u.table)*3 {
		u.grow()
	}
	u.put(unitEntry{fingerprint(unit), where})
	u.used++
}

func (u *units) grow() {
	old := u.table
	u.table = make([]unitEntry, max(2*len(old), 64))
	for _, e := range old {
		if e.mark != 0 {
			u.put(e)
		}
	}
}

func (u *units) put(e unitEntry) {
	mask := len(u.table) - 1
	i := home(e.mark) & mask
	for u.table[i].mark != 0 {
		i = (i + 1) & mask
	}
	u.table[i] = e
}

// filtered reports whether the filter may hold a subject, and adds it.
func (u *units) filtered(unit uint64, add bool) bool {
	if u.bloom == nil {
		if !add || u.words == 0 {
			return false
		}
		u.bloom = make([]uint64, u.words)
	}
	bits := uint64(len(u.bloom)) * 64
	a, b := (unit>>32)%bits, (unit*0x9e3779b97f4a7c15>>32)%bits
	there := u.bloom[a/64]>>(a%64)&1 == 1 && u.bloom[b/64]>>(b%64)&1 == 1
	if add {
		u.bloom[a/64] |= 1 << (a % 64)
		u.bloom[b/64] |= 1 << (b % 64)
	}
	return there
}

// shares are the shares that a rollout had, in the order of their first call.
type shares struct {
	list []float64
	// mixed is set when an arm contradicts that subjects keep their places.
	// From then on nobody is bet on twice.
	mixed bool
}

// index is the place of a share in the list, or forgotten.
func (s *shares) index(share float64) int {
	if n := len(s.list); n > 0 && s.list[n-1] == share {
		return n - 1
	}
	if i := slices.Index(s.list, share); i >= 0 {
		return i
	}
	if len(s.list) == maxShares {
		return forgotten
	}
	s.list = append(s.list, share)
	return len(s.list) - 1
}

// at is the share at which an entry's arm was seen.
func (s *shares) at(where uint8) (share float64, ok bool) {
	if i := int(where &^ onCandidate); i < len(s.list) {
		return s.list[i], true
	}
	return 0, false
}
