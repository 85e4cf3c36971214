package guard

import (
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// changeVersion is the first byte of a Change's state.
const changeVersion = 0x81

// State is all that a Change knows, its reference with it, in less than two
// kilobytes. One restored from it goes on bit by bit as this one would.
func (c *Change) State() []byte {
	k := coder{buf: []byte{changeVersion}}
	c.code(&k)
	return k.buf
}

// RestoreChange is the Change that State was asked of. It reports
// prompt.ErrInvalid for bytes that are no such state.
func RestoreChange(state []byte) (*Change, error) {
	if len(state) == 0 || state[0] != changeVersion {
		return nil, registry.Errorf(prompt.ErrInvalid, "this is no state of a watch for changes, or one of another version")
	}
	c := &Change{}
	k := coder{buf: state[1:], reading: true}
	c.code(&k)
	if k.bad || len(k.buf) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the state of a watch for changes is damaged")
	}
	return c, nil
}

// code is the state: what stands here is kept, in this order.
func (c *Change) code(k *coder) {
	k.floats(&c.arl)
	if k.reading && !(c.arl >= 2 && c.arl <= 1e12) {
		k.bad = true
	}
	c.errors.code(k, c.arl)
	c.slow.code(k, c.arl)
	for h := range c.slowMS {
		k.floats(&c.slowMS[h])
	}
	c.ratings.code(k)
	for i := range c.rated {
		mark := uint64(c.rated[i])
		k.fixed(&mark, 4)
		c.rated[i] = uint32(mark)
	}
	number(k, &c.next, lastRated-1)
	number(k, &c.calls, math.MaxUint64)
	for i := range c.recent {
		r := &c.recent[i]
		k.floats(&r.n, &r.sum, &r.expected)
		if n := r.n; k.reading && (n > 1<<53 || n != math.Trunc(n) || max(r.sum, r.expected) > highest*n) {
			k.bad = true
		}
	}
	watched := Of(Errors, Latency, Satisfaction)
	number(k, &c.guilty, uint64(watched))
	if c.guilty&^watched != 0 {
		k.bad = true
	}
}

func (d *Drift) code(k *coder, arl float64) {
	d.arl = arl
	for h := range d.rates {
		k.floats(&d.rates[h])
		if k.reading && !(d.rates[h] >= 1e-9 && d.rates[h] <= .9) {
			k.bad = true
		}
	}
	capitals(k, d.m[:])
}

func (d *markDrift) code(k *coder) {
	for h := range d.of {
		m := &d.of[h]
		k.floats(&m.mean, &m.variance)
		if k.reading && m.mean != 0 && !(m.mean >= lowest && m.mean <= highest && m.variance >= 1e-12) {
			k.bad = true
		}
	}
	capitals(k, d.m[:])
}

func capitals(k *coder, list []float64) {
	for i := range list {
		if k.floats(&list[i]); list[i] > math.MaxFloat32 {
			k.bad = true
		}
	}
}
