package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// How many rows of the matrix are sent at once: what a window shows. The rest
// follows when one comes near it: all rows of 1,000 prompts are 2.5 MB, which
// take the server and the browser ten times as long as what one sees of them, and
// a keystroke in the search draws new rows (BenchmarkHome of uitest).
const (
	homeRows    = 15
	moreRows    = 30
	maxHomeRows = 5000
)

// mine stands in the address for the prompts of whoever reads it, so that it can
// be shared.
const mine = "me"

// A homeQuery is what the address of the first page asks for.
type homeQuery struct {
	Filter registry.OverviewFilter
	Order  registry.OverviewOrder
	From   int       // rows before it are on the page already
	Count  int       // of rows from the first one on
	One    prompt.ID // the only row that is asked for
	More   bool      // there are rows behind Count
}

func readHomeQuery(r *http.Request) (homeQuery, error) {
	v := r.URL.Query()
	q := homeQuery{
		Filter: registry.OverviewFilter{
			Text: v.Get("q"), Folder: v.Get("folder"), Environment: v.Get("environment"), Health: registry.Health(v.Get("health")),
			Behind: v.Get("behind") != "", Open: v.Get("open") != "", Maintainer: v.Get("maintainer"),
		},
		Order: registry.OverviewOrder(v.Get("sort")), Count: homeRows, One: prompt.ID(v.Get("row")), More: true,
	}
	if h := q.Filter.Health; h != "" && h != registry.NeedsAttention && !slices.Contains(registry.Healths(), h) {
		return q, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no health", prompt.Clip(string(h), 40)), "choose from the list on the page")
	}
	if !slices.Contains(registry.OverviewOrders(), q.Order) {
		return q, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no order", prompt.Clip(string(q.Order), 40)), "choose from the list on the page")
	}
	for name, to := range map[string]*int{"rows": &q.Count, "from": &q.From} {
		if text := v.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n > maxHomeRows {
				return q, registry.Errorf(prompt.ErrInvalid, "%s is %q; it must be a number up to %d", name, prompt.Clip(text, 40), maxHomeRows)
			}
			*to = n
		}
	}
	q.From = min(q.From, q.Count)
	return q, nil
}

// choose is the rows that are asked for, in their order.
func (q homeQuery) choose(o registry.Overview, who registry.Caller) []registry.OverviewRow {
	if q.One != "" {
		i, found := slices.BinarySearchFunc(o.Prompts, q.One, func(row registry.OverviewRow, id prompt.ID) int { return cmp.Compare(row.Prompt, id) })
		if !found {
			return nil
		}
		return o.Prompts[i : i+1]
	}
	f := q.Filter
	if f.Maintainer == mine {
		f.Maintainer, f.Mine = "", who.Name
	}
	rows := f.Choose(o)
	q.Order.Sort(rows)
	return rows
}

// until is the row before which the page ends.
func (q homeQuery) until() int { return q.Count }

// grouped reports whether rows stand under the names of their folders.
func (q homeQuery) grouped() bool { return q.Order == registry.ByPrompt && q.One == "" }

// values are the query of the page's address, without what says nothing.
func (q homeQuery) values() url.Values {
	v := make(url.Values)
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	flag := map[bool]string{true: "1"}
	f := q.Filter
	set("q", f.Text)
	set("folder", f.Folder)
	set("environment", f.Environment)
	set("health", string(f.Health))
	set("maintainer", f.Maintainer)
	set("behind", flag[f.Behind])
	set("open", flag[f.Open])
	set("sort", string(q.Order))
	return v
}

func (q homeQuery) path() string { return homePath(q.values()) }

// homePath is the first page with a query.
func homePath(v url.Values) string {
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

// with is the page's address with one name more.
func (q homeQuery) with(name, value string) string {
	v := q.values()
	v.Set(name, value)
	return homePath(v)
}

// Here is the address of what is shown, to come back to.
func (q homeQuery) Here() string { return q.path() }

// Next is the address of the page with more rows, and Rest that of those rows
// alone.
func (q homeQuery) Next() string { return q.with("rows", strconv.Itoa(q.Count+moreRows)) }

// Rest is the rows behind those of the page.
func (q homeQuery) Rest() string {
	v := q.values()
	v.Set("rows", strconv.Itoa(q.Count+moreRows))
	v.Set("from", strconv.Itoa(q.Count))
	return homePath(v)
}

// Everything is the address of the page with all rows.
func (q homeQuery) Everything() string { return q.with("rows", strconv.Itoa(maxHomeRows)) }

// CountOnly is the address of the page with one row, which says how many there
// are.
func (q homeQuery) CountOnly() string { return q.with("rows", "0") }

// Up is the address of the page without a folder.
func (q homeQuery) Up() string {
	q.Filter.Folder = ""
	return q.path()
}

// Live is the address of one row of the page.
func (q homeQuery) live(id prompt.ID) string {
	v := make(url.Values)
	v.Set("row", string(id))
	if q.Filter.Environment != "" {
		v.Set("environment", q.Filter.Environment)
	}
	return homePath(v)
}
