package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// traffic records calls of customer-support in production: so many, of which the
// candidate 1.1.0 serves a share in percent and fails as often as is said, in
// percent of its calls. The stable 1.0.0 fails once in a hundred. Who serves what
// is drawn, and the same each time that it is asked for alike.
func traffic(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: traffic calls share failing")
	}
	var n [3]int
	for i, a := range args {
		var err error
		n[i], err = strconv.Atoi(a)
		ts.Check(err)
	}
	random := rand.New(rand.NewPCG(uint64(n[0]), uint64(n[1])))
	at := func(i int) string {
		return time.Now().Add(-time.Duration(n[0]-i) * time.Microsecond).UTC().Format(time.RFC3339Nano)
	}
	for sent := 0; sent < n[0]; {
		var body bytes.Buffer
		batch := min(n[0]-sent, 400)
		for i := range batch {
			arm, version, failing, share := registry.StableArm, "1.0.0", 1, 100-n[1]
			if random.IntN(100) < n[1] {
				arm, version, failing, share = registry.CandidateArm, "1.1.0", n[2], n[1]
			}
			outcome := `"ok"`
			if random.IntN(100) < failing {
				outcome = `"error","error_class":"prompt"`
			}
			fmt.Fprintf(&body, `{"prompt":"customer-support","version":%q,"environment":"production","arm":%q,"share":%d,"started_at":%q,"latency_ms":%d,"outcome":%s}`+"\n",
				version, arm, share, at(sent+i), 400+random.IntN(400), outcome)
		}
		resp, err := http.Post(ts.Getenv("INCIPIT_SERVER")+"/v1/calls", "application/x-ndjson", &body) //nolint:noctx // a script ends by itself
		ts.Check(err)
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close() //nolint:errcheck // it was read
		ts.Check(err)
		var in registry.Intake
		if err := json.Unmarshal(answer, &in); err != nil || in.Accepted != batch {
			ts.Fatalf("%s: %s", resp.Status, prompt.Clip(string(answer), 300))
		}
		sent += batch
	}
}
