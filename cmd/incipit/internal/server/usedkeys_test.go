package server

import (
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhenAKeyWasLastUsedIsShownToWhoeverWouldRevokeIt(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	key, id := r.keyOf(0, registry.Grant{Permissions: []registry.Permission{registry.MayRead}, Environments: []string{"*"}, Prompts: []string{"*"}})
	v.shows(v.opens("/settings/keys/"+id+"/revoke"), 200, "not seen yet")
	if g := r.send("GET", "/v1/me", key, ""); g.status != 200 {
		t.Fatal(g.status)
	}
	r.server.noteKeysOnce(t.Context())
	for _, k := range keysOf(r) {
		if k.ID == id && k.UsedAt.IsZero() {
			t.Error("it is not known that the key was used")
		}
	}
	v.shows(v.opens("/settings/keys"), 200, "Last used")
	v.shows(v.opens("/settings/keys/"+id+"/revoke"), 200, "Last used", "!not seen yet")
}

func TestTheLastUseOfAKeyIsKeptWhenTheServerStops(t *testing.T) {
	r := documented(t)
	key, id := r.keyOf(0, registry.Grant{Permissions: []registry.Permission{registry.MayRead}, Environments: []string{"*"}, Prompts: []string{"*"}})
	if g := r.send("GET", "/v1/me", key, ""); g.status != 200 {
		t.Fatal(g.status)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if k, err := r.db.Key(t.Context(), id); err != nil || k.UsedAt.IsZero() {
		t.Errorf("used at %v, %v", k.UsedAt, err)
	}
}
