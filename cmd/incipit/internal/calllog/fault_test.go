package calllog

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// refused holds an error to what a person needs: its kind, the cause in words,
// and what to do.
func refused(t *testing.T, err error, cause, todo string) {
	t.Helper()
	fix, ok := errors.AsType[*registry.FixError](err)
	if !errors.Is(err, registry.ErrUnavailable) || !ok || !strings.Contains(err.Error(), cause) || !strings.Contains(fix.Fix, todo) {
		t.Errorf("%v (%+v), which should say %q and %q", err, fix, cause, todo)
	}
}

func TestADayThatIsFullRefusesWholeBatchesAndGoesOnLater(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	s := newSource(40)
	kept := s.calls(20, db.Clock.Now(), time.Minute)
	add(t, l, kept)
	f, ok := l.d.(*sqliteDir)
	if !ok {
		t.Fatal("this is no SQLite")
	}
	today := f.files[dayOf(db.Clock.Now())]
	if _, err := today.w.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil { // as many as there are
		t.Fatal(err)
	}
	var last []*registry.Call
	var err error
	for range 100 {
		last = s.calls(200, db.Clock.Now(), time.Minute)
		if _, err = l.Append(t.Context(), entriesOf(last)); err != nil {
			break
		}
		kept = append(kept, last...)
	}
	refused(t, err, "has no space left", "make space")
	whole(t, l, kept)
	if _, err := today.w.ExecContext(t.Context(), `PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	if n := add(t, l, last); n != len(last) {
		t.Errorf("%d are new", n)
	}
	whole(t, l, append(kept, last...))
}

func TestAFileOfADayThatWasMovedIsNoticedBeforeAnythingIsAcknowledged(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	s := newSource(41)
	calls := s.calls(20, db.Clock.Now(), time.Minute)
	add(t, l, calls)
	path := filepath.Join(db.Config.Dir, "calls", dayOf(db.Clock.Now()).String()+".db")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	more := s.calls(20, db.Clock.Now(), time.Minute)
	_, err := l.Append(t.Context(), entriesOf(more))
	refused(t, err, "was moved, deleted or replaced", "put the file back")
	if !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not name the file", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	whole(t, l, calls)
	add(t, l, more)
	whole(t, l, append(calls, more...))
}

func TestAFileThatMayNotBeOnDiskIsNotWrittenUntilARestart(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	s := newSource(42)
	calls := s.calls(20, db.Clock.Now(), time.Minute)
	add(t, l, calls)
	f, ok := l.d.(*sqliteDir)
	if !ok {
		t.Fatal("this is no SQLite")
	}
	why := registry.Errorf(registry.ErrUnavailable, "what was written may not be on disk")
	f.files[dayOf(db.Clock.Now())].broken = why
	more := s.calls(20, db.Clock.Now(), time.Minute)
	if _, err := l.Append(t.Context(), entriesOf(more)); !errors.Is(err, why) {
		t.Error(err)
	}
	other := s.calls(20, db.Clock.Now().Add(-48*time.Hour), time.Minute)
	add(t, l, other)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, configOf(db))
	add(t, l, more)
	whole(t, l, append(append(calls, more...), other...))
}

func TestCallsAreThereWithoutTheCommonFile(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	calls := newSource(44).calls(30, db.Clock.Now(), 60*time.Hour)
	add(t, l, calls)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(db.Config.Dir, "calls", "common.db")
	if err := os.Rename(path, path+".damaged"); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, configOf(db))
	if n := add(t, l, calls); n != 0 {
		t.Errorf("%d are new", n)
	}
	whole(t, l, calls)
}

func TestASecondLogOfADirectoryIsRefused(t *testing.T) {
	db := storetest.SQLite(t)
	openLog(t, configOf(db))
	if _, err := Open(t.Context(), configOf(db)); !errors.Is(err, registry.ErrConflict) {
		t.Error(err)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	db := storetest.SQLite(t)
	l := openLog(t, configOf(db))
	add(t, l, newSource(43).calls(20, db.Clock.Now(), 30*time.Hour))
	n := 0
	if err := filepath.WalkDir(filepath.Join(db.Config.Dir, "calls"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has %v", path, info.Mode())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n < 4 {
		t.Errorf("%d files", n)
	}
}

func TestPostgresThatDiesAgainAndAgainLosesAndDoublesNothing(t *testing.T) {
	storetest.Postgres(t) // says if there is none
	p := storetest.NewServer(t)
	clock := new(storetest.Clock)
	c := Config{URL: p.Database(t, "calls"), Now: clock.Now, Random: storetest.Random("calls"), Log: slog.New(slog.DiscardHandler)}
	logs := []*Log{openLog(t, c), openLog(t, c)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		all       []*registry.Call
		new, errs atomic.Int64
	)
	for i := range 8 {
		wg.Go(func() {
			s := newSource(uint64(50 + i))
			for ctx.Err() == nil {
				calls := s.calls(40, clock.Now(), time.Hour)
				mu.Lock()
				all = append(all, calls...)
				mu.Unlock()
				for sent := 0; ; sent++ {
					fresh, err := logs[(i+sent)%2].Append(t.Context(), entriesOf(calls))
					if err == nil {
						new.Add(int64(count(fresh)))
						break
					}
					if !errors.Is(err, registry.ErrUnavailable) {
						t.Error(err)
					}
					errs.Add(1)
				}
			}
		})
	}
	const kills = 4
	for range kills {
		time.Sleep(50 * time.Millisecond)
		if _, err := p.KillBackend(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wg.Wait()
	whole(t, logs[0], all)
	t.Logf("%d kills: %d calls, %d told as new, %d batches sent again; 0 lost, 0 doubled", kills, len(all), new.Load(), errs.Load())
	if n := new.Load(); n > int64(len(all)) || errs.Load() == 0 && n != int64(len(all)) {
		t.Errorf("%d of %d calls were told to be new", n, len(all))
	}
}
