package auth

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhenAKeyOpensIsKnownToAQuarterOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		text, id := store.add(t, SDK, "app", nil)
		other, otherID := store.add(t, SDK, "other", nil)
		v := store.verifier(nil)
		if _, err := v.Authenticate(t.Context(), "Bearer "+other+"x", home(), "api"); err == nil {
			t.Fatal("another secret opens")
		}
		c, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api")
		if err != nil {
			t.Fatal(err)
		}
		used := v.TakeUsed()
		if at := used[id]; !at.Equal(time.Now()) || used[otherID] != (time.Time{}) {
			t.Fatalf("%v", used)
		}
		store.change(func() { // the store is told
			k := store.keys[id]
			k.UsedAt = used[id]
			store.keys[id] = k
		})
		time.Sleep(14 * time.Minute)
		if _, err := v.Authenticate(t.Context(), "Bearer "+text, home(), "api"); err != nil {
			t.Fatal(err)
		}
		if used := v.TakeUsed(); len(used) != 0 {
			t.Errorf("it is told again after 14 minutes: %v", used)
		}
		time.Sleep(time.Minute)
		for range 3 { // the stream that it opened goes on
			if _, err := v.Valid(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if used := v.TakeUsed(); !used[id].Equal(time.Now().Add(-time.Second)) || len(used) != 1 {
			t.Errorf("an open stream: %v", used)
		}
		if _, err := v.Valid(t.Context(), registry.Caller{Key: "unknown"}); err == nil || len(v.TakeUsed()) != 0 {
			t.Error("an unknown key counts as used")
		}
	})
}
