package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatIsWantedOfEvidenceIsAListOfKinds(t *testing.T) {
	r := sqlite(t, nil)
	g := r.send("PUT", "/v1/environments/gated", r.admin, `{"protected":false,"require":["review"],"wanted":{"tests":"pass","comparison":"not-regressed"}}`)
	if g.status != http.StatusOK || !strings.Contains(string(g.body), `"require":["review","comparison","tests"]`) {
		t.Fatalf("%d %s", g.status, g.body)
	}
	for _, wanted := range []string{`{"tests":"maybe"}`, `{"Unit Tests":"pass"}`, `{"comparison":"pass"}`} {
		if g := r.send("PUT", "/v1/environments/gated", r.admin, `{"protected":false,"wanted":`+wanted+`}`); g.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", wanted, g.status, g.body)
		}
	}
}

func TestAStatementComesByHTTPAndIsShown(t *testing.T) {
	r := sqlite(t, nil)
	digest := "sha256:" + strings.Repeat("ab", 32) // not released yet
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	payload := encode(fmt.Sprintf(`{"at":%q,"digest":%q,"format":1,"kinds":{"comparison":"none","tests":"pass"},"mode":"replay","prompt":"support","report_hash":%[2]q,"suite_hash":%[2]q,"tool":"t"}`,
		time.Now().UTC().Add(-time.Minute).Format(time.RFC3339), digest))
	body := func(passed, payload string) string {
		return fmt.Sprintf(`{"prompt":"support","digest":%q,"kind":"tests","passed":%s,"statement":{"payload":%q,"payloadType":"application/vnd.incipit.evidence+json","signatures":[]}}`, digest, passed, payload)
	}
	filed := r.send("POST", "/v1/evidence", r.admin, body("true", payload))
	if filed.status != http.StatusOK {
		t.Fatalf("%d %s", filed.status, filed.body)
	}
	r.fits("evidence", r.server.spec.Components.Schemas.SchemaFromRef("#/components/schemas/Evidence"), filed.body)
	page := decode[api.Page[registry.Evidence]](t, r.send("GET", "/v1/evidence?prompt=support", r.admin, ""))
	if len(page.Items) != 1 || !page.Items[0].Passed || page.Items[0].SignedBy != "" || !strings.Contains(string(page.Items[0].Statement), payload) {
		t.Errorf("%+v", page.Items)
	}
	for name, text := range map[string]string{
		"another result":      body("false", payload),
		"a payload of nobody": body("true", encode("{}")),
		"text as a statement": `{"prompt":"support","digest":"` + digest + `","kind":"tests","passed":true,"statement":"hello"}`,
		"a statement too deep": `{"prompt":"support","digest":"` + digest + `","kind":"tests","passed":true,"statement":` +
			strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		"a statement too large": `{"prompt":"support","digest":"` + digest + `","kind":"tests","passed":true,"statement":{"payload":"` + strings.Repeat("A", 20_000) + `"}}`,
	} {
		if g := r.send("POST", "/v1/evidence", r.admin, text); g.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
	}
}
