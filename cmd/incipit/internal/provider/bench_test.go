package provider

import (
	"os"
	"testing"
	"time"
)

// A replay is what a suite's case costs in the hook before a commit.
func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	record, err := NewCassettes(CassetteConfig{Mode: Record, Read: os.DirFS(dir), Write: root, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	r := conversation()
	if _, err := around(record).Wrap(counting("openai:chat")).Call(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	replay, err := NewCassettes(CassetteConfig{Mode: Replay, Read: os.DirFS(dir), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	p := around(replay).Wrap(&fake{id: "openai:chat"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Call(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	p := Around{Now: time.Now}.Wrap(echo{})
	r := ask("What is the capital of France?")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Call(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
