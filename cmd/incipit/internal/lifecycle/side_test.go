package lifecycle

import (
	"errors"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestASideIsAReleaseByAnyOfItsNames(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}, {Name: "production"}}, func(t *testing.T, r *rig) {
		reads := func(env string) registry.Caller {
			return registry.Caller{Name: "ada@example.com", Grants: []registry.Grant{{Permissions: registry.Permissions(), Environments: []string{env}, Prompts: []string{"*"}}}}
		}
		everywhere := registry.WithCaller(t.Context(), reads("*"))
		for _, req := range []registry.Request{deploying("production", "1.0.0"), deploying("production", "1.1.0", canary)} {
			if _, err := r.Do(everywhere, req); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			name string
			as   registry.Caller
			want string
			err  error
		}{
			{"1.0.0", reads("*"), "1.0.0", nil},
			{"production", reads("*"), "1.0.0", nil},
			{"production:stable", reads("*"), "1.0.0", nil},
			{"production:candidate", reads("*"), "1.1.0", nil},
			{"production:candidate", reads("dev"), "", registry.ErrForbidden},
			{"production:b", reads("*"), "", registry.ErrNotFound},
			{"dev", reads("*"), "", registry.ErrNotFound},
			{"nowhere", reads("*"), "", registry.ErrNotFound},
			{"9.9.9", reads("*"), "", registry.ErrNotFound},
			{"", reads("*"), "", prompt.ErrInvalid},
			{":candidate", reads("*"), "", prompt.ErrInvalid},
		} {
			t.Run(tt.name+" "+tt.as.Grants[0].Environments[0], func(t *testing.T) {
				got, err := r.shared.Side(registry.WithCaller(t.Context(), tt.as), "support", tt.name)
				if !errors.Is(err, tt.err) || tt.err == nil && got.Release.Version.String() != tt.want {
					t.Errorf("got %v, %v, want %s, %v", got.Release.Version, err, tt.want, tt.err)
				}
			})
		}
		tracks, err := r.shared.History(registry.WithCaller(t.Context(), reads("dev")), "support", "")
		envs, _ := r.shared.EnvironmentsOf(registry.WithCaller(t.Context(), reads("dev")), "support")
		if err != nil || len(tracks) != 0 || len(envs) != 1 || envs[0].Name != "dev" {
			t.Errorf("who reads dev alone sees %v and %v, %v", tracks, envs, err)
		}
	})
}

func TestTheLogTellsOfEachReleaseHowItDiffersFromTheOneBefore(t *testing.T) {
	eachShared(t, nil, func(t *testing.T, r *rig) {
		all, more, err := r.shared.Log(t.Context(), "support", prompt.Version{}, 100)
		if err != nil || more || len(all) < 3 {
			t.Fatal(len(all), more, err)
		}
		first := all[len(all)-1]
		if !first.Before.IsZero() || first.Bump != prompt.NoBump || first.Changes != nil {
			t.Errorf("the first release follows on %v, by %v: %v", first.Before, first.Bump, first.Changes)
		}
		for i, one := range all[:len(all)-1] {
			if one.Before != all[i+1].Version || one.Bump == prompt.NoBump || one.Tokens == 0 {
				t.Errorf("%s follows on %s by %s", one.Version, one.Before, one.Bump)
			}
		}
		page, more, err := r.shared.Log(t.Context(), "support", all[0].Version, 1)
		if err != nil || !more || len(page) != 1 || page[0].Version != all[1].Version {
			t.Errorf("the page behind %s is %v, %v, %v", all[0].Version, page, more, err)
		}
		if _, _, err := r.shared.Log(t.Context(), "nothing", prompt.Version{}, 10); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("of a prompt that is not known: %v", err)
		}
	})
}
