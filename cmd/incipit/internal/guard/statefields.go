package guard

import (
	"cmp"
	"math"
	"slices"

	"github.com/incipit-dev/incipit/internal/registry"
)

// code is the detector's state: what stands here is kept, in this order.
func (d *Detector) code(c *coder) {
	d.policy.code(c)
	if c.reading {
		if c.bad {
			return
		}
		fresh, err := New(d.policy)
		if err != nil {
			c.bad = true
			return
		}
		*d = *fresh
	}
	number(c, &d.seen, math.MaxUint64)
	number(c, &d.past, math.MaxUint64)
	for a := range 2 {
		number(c, &d.calls[a], math.MaxUint64)
		for m := range d.values {
			number(c, &d.values[m][a], math.MaxUint64)
		}
	}
	for m := range d.capital {
		c.floats(&d.capital[m])
		d.spans[m].code(c)
	}
	c.floats(&d.peak, &d.safety, &d.share)
	c.flag(&d.sticky)
	c.bad = c.bad || d.share > 1
	d.errors.code(c)
	d.worse.code(c)
	d.errorSafe.code(c)
	for m := Latency; m <= Cost; m++ {
		if d.on(m) {
			d.shapes[m].code(c)
		}
	}
	d.ratings.code(c)
	d.ratio.mix.code(c)
	d.runs.mix.code(c)
	c.floats(&d.ratio.wealth, &d.runs.wealth)
	number(c, &d.runs.last, 2)
	d.shares.code(c)
	for _, u := range []*units{&d.firstCall, &d.firstError, &d.firstRating} {
		u.code(c)
	}
	codeBlock(c, &d.block.calls)
	codeBlock(c, &d.block.ratings)
	for a := range 2 {
		for y := range 2 {
			number(c, &d.block.margins[a][y], blockCalls-1)
		}
	}
	d.classic.code(c)
	number(c, &d.safe, uint64(everything))
	number(c, &d.verdict.Kind, uint64(Untrusted))
	number(c, &d.verdict.Guilty, uint64(everything))
}

func (p *Policy) code(c *coder) {
	c.text((*string)(&p.Rule), 16)
	c.floats(&p.Alpha, &p.AlphaSafe)
	number(c, &p.Metrics, uint64(everything))
	number(c, &p.Optional, uint64(everything))
	for _, g := range []*Margins{&p.Safe, &p.Regress} {
		c.floats(&g.Errors, &g.Latency, &g.FirstToken, &g.Tokens, &g.Cost, &g.Satisfaction)
	}
	c.flag(&p.P95Only)
	c.flag(&p.NoShares)
}

func (m *mixture) code(c *coder) {
	for k := range m.n {
		c.floats(&m.v[k])
	}
}

func (s *spread) code(c *coder) { c.floats(&s.n, &s.sum, &s.squares) }

func (s *span) code(c *coder) {
	s.arms[0].code(c)
	s.arms[1].code(c)
	c.floats(&s.n, &s.sq)
	c.signed(&s.sum)
}

func (t *tally) code(c *coder) { c.floats(&t.errors, &t.calls) }

func (e *errorRate) code(c *coder) {
	e.mix.code(c)
	e.history.code(c)
	e.stable.code(c)
	e.pooled.code(c)
	c.signed(&e.fast)
	c.floats(&e.tableRate)
	c.bad = c.bad || e.tableRate > .99
}

func (h *halfPlane) code(c *coder) {
	for k := range h.n {
		c.floats(&h.v[k])
	}
	c.floats(&h.built, &h.p0)
	if h.p0 != 0 && !(h.p0 >= 1e-5 && h.p0 <= .999) {
		c.bad = true
	}
}

// Of the histogram only the counts are kept, those of now and those that the
// tables were made of; runs of empty bins take two bytes.
func (h *histogram) code(c *coder) {
	c.floats(&h.n, &h.built)
	codeCounts(c, &h.count)
	codeCounts(c, &h.made)
	if c.reading && h.built > 0 {
		h.tables()
	}
}

func codeCounts(c *coder, counts *[bins]uint32) {
	for b := 0; b < bins && !c.bad; b++ {
		number(c, &counts[b], math.MaxUint32)
		if counts[b] != 0 {
			continue
		}
		empty := 0
		for !c.reading && b+1+empty < bins && counts[b+1+empty] == 0 {
			empty++
		}
		number(c, &empty, uint64(bins-1-b))
		b += empty
	}
}

func (s *shape) code(c *coder) {
	s.stable.code(c)
	s.mix.code(c)
	s.safe.code(c)
	s.winsor.code(c)
	c.floats(&s.wealth)
}

func (r *rating) code(c *coder) {
	r.stable.code(c)
	r.mix.code(c)
	r.safe.code(c)
	c.floats(&r.wealth)
}

func (s *shares) code(c *coder) {
	c.flag(&s.mixed)
	sized(c, &s.list, maxShares)
	for i := range s.list {
		c.floats(&s.list[i])
		if s.list[i] > 1 {
			c.bad = true
		}
	}
}

// code keeps the entries in order, so that equal knowledge has equal bytes;
// where they stand in the table is no matter.
func (u *units) code(c *coder) {
	var list []unitEntry
	for _, e := range u.table {
		if e.mark != 0 {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b unitEntry) int { return cmp.Compare(a.mark, b.mark) })
	sized(c, &list, u.limit)
	for i := range list {
		e := uint64(list[i].where)<<32 | uint64(list[i].mark)
		c.fixed(&e, 5)
		list[i] = unitEntry{uint32(e), uint8(e >> 32)}
	}
	if c.reading && !c.bad {
		u.table, u.used = nil, 0
		for _, e := range list {
			if e.mark == 0 {
				c.bad = true
				return
			}
			if (u.used+1)*4 > len(u.table)*3 {
				u.grow()
			}
			u.put(e)
			u.used++
		}
	}
	sized(c, &u.bloom, u.words)
	if len(u.bloom) != 0 && len(u.bloom) != u.words {
		c.bad = true
	}
	for i := range u.bloom {
		c.fixed(&u.bloom[i], 8)
	}
}

func codeBlock(c *coder, list *[]blocked) {
	sized(c, list, blockCalls-1)
	for i := range *list {
		b := &(*list)[i]
		c.flag(&b.candidate)
		b.o.Candidate, b.o.Share = b.candidate, nominal
		c.flag(&b.o.Error.Known)
		c.flag(&b.o.Error.Value)
		for _, v := range []*registry.Opt[float64]{&b.o.LatencyMS, &b.o.FirstTokenMS, &b.o.Tokens, &b.o.Cost, &b.o.Satisfaction} {
			c.flag(&v.Known)
			if v.Known {
				c.floats(&v.Value)
			}
		}
		if b.o.Check() != nil {
			c.bad = true
		}
	}
}

// code takes a byte for an hour without calls.
func (h *hour) code(c *coder) {
	if number(c, &h.number, math.MaxInt64); h.number != 0 {
		h.tally.code(c)
		c.floats(&h.marks, &h.rated)
	}
}

func (x *classic) code(c *coder) {
	for i := range x.hours {
		x.hours[i].code(c)
	}
	x.now.code(c)
	number(c, &x.first, math.MaxInt64)
	number(c, &x.called, uint64(Untrusted))
}
