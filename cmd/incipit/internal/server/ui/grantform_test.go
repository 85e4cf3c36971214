package ui

import (
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatEachPermissionOpensIsSaid(t *testing.T) {
	for _, a := range allowances(func(p registry.Permission) bool { return p == registry.MayPropose }) {
		if a.About == "" || a.Ticked != (a.Permission == registry.MayPropose) {
			t.Errorf("%+v", a)
		}
	}
}
