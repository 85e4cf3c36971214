package guard

import (
	"encoding/binary"
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// stateVersion is the first byte of a state. A state of another version is
// refused: the calls are still there to be read again.
const stateVersion = 2

// State is all that the detector knows, to be kept with the cursor of the last
// observation. A detector restored from it goes on bit by bit as this one
// would, on the same kind of processor.
func (d *Detector) State() []byte {
	c := coder{buf: []byte{stateVersion}}
	d.code(&c)
	return c.buf
}

// Restore is the detector that State was asked of. It reports
// prompt.ErrInvalid for bytes that are no state.
func Restore(state []byte) (*Detector, error) {
	if len(state) == 0 || state[0] != stateVersion {
		return nil, registry.Errorf(prompt.ErrInvalid, "this is no state of the guard, or one of another version")
	}
	d := &Detector{}
	c := coder{buf: state[1:], reading: true}
	d.code(&c)
	if c.bad || len(c.buf) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the state of the guard is damaged")
	}
	return d, nil
}

// A coder writes fields, or reads them back in the same order: one function
// for each type does both, so they cannot disagree.
type coder struct {
	buf     []byte
	reading bool
	bad     bool // what was read cannot have been written
}

// whole codes a number from 0 to most.
func (c *coder) whole(x *uint64, most uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *x)
		return
	}
	read, n := binary.Uvarint(c.buf)
	if n <= 0 || read > most {
		c.bad, read, n = true, 0, 0
	}
	*x, c.buf = read, c.buf[n:]
}

// number codes a count, an index or the like.
func number[T ~int | ~int64 | ~uint8 | ~uint32 | ~uint64](c *coder, x *T, most uint64) {
	n := uint64(*x)
	c.whole(&n, most)
	*x = T(n)
}

func (c *coder) flag(x *bool) {
	n := uint64(arm(*x))
	c.whole(&n, 1)
	*x = n == 1
}

// floats codes numbers that are finite and not negative, as all are here.
func (c *coder) floats(list ...*float64) {
	for _, x := range list {
		if !c.reading {
			c.buf = binary.LittleEndian.AppendUint64(c.buf, math.Float64bits(*x))
			continue
		}
		if len(c.buf) < 8 {
			c.bad, *x = true, 0
			return
		}
		*x = math.Float64frombits(binary.LittleEndian.Uint64(c.buf))
		c.buf = c.buf[8:]
		if !(*x >= 0 && *x <= math.MaxFloat64) {
			c.bad, *x = true, 0
		}
	}
}

// fixed codes a number in so many bytes.
func (c *coder) fixed(x *uint64, bytes int) {
	var b [8]byte
	if !c.reading {
		binary.LittleEndian.PutUint64(b[:], *x)
		c.buf = append(c.buf, b[:bytes]...)
		return
	}
	if len(c.buf) < bytes {
		c.bad, *x = true, 0
		return
	}
	copy(b[:], c.buf[:bytes])
	*x, c.buf = binary.LittleEndian.Uint64(b[:]), c.buf[bytes:]
}

// signed codes a finite number of either sign.
func (c *coder) signed(x *float64) {
	minus, size := *x < 0 || *x == 0 && math.Signbit(*x), math.Abs(*x)
	c.flag(&minus)
	c.floats(&size)
	if *x = size; minus {
		*x = -size
	}
}

func (c *coder) text(x *string, most int) {
	n := uint64(len(*x))
	c.whole(&n, uint64(most))
	if !c.reading {
		c.buf = append(c.buf, *x...)
		return
	}
	if n > uint64(len(c.buf)) {
		c.bad, n = true, 0
	}
	*x, c.buf = string(c.buf[:n]), c.buf[n:]
}

// sized codes the length of a list, each element of which takes a byte at least:
// what is read needs no more room than the bytes that it came from.
func sized[T any](c *coder, list *[]T, most int) {
	n := uint64(len(*list))
	c.whole(&n, uint64(most))
	if !c.reading {
		return
	}
	if n > uint64(len(c.buf)) {
		c.bad, n = true, 0
	}
	if *list = nil; n > 0 {
		*list = make([]T, n)
	}
}
