package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/registry"
)

// PastEvents lists the events of the audit log that a filter chooses, the
// newest first, at most limit of them. With before only those whose number is
// less, which is how one goes on: no event comes between those that were seen.
func (s *Store) PastEvents(ctx context.Context, f registry.EventFilter, before int64, limit int) ([]registry.Event, error) {
	where, args := eventsWhere(f, before)
	args = append(args, limit)
	query := fmt.Sprintf(`SELECT `+eventColumns+` FROM audit %s ORDER BY seq DESC LIMIT $%d`, where, len(args))
	return get(ctx, s, func(q querier) ([]registry.Event, error) { return scanEvents(ctx, q, query, args...) })
}

// eventsWhere is the condition of a filter. What people wrote is an argument
// and never a part of it.
func eventsWhere(f registry.EventFilter, before int64) (string, []any) {
	var all []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		all = append(all, fmt.Sprintf(condition, len(args)))
	}
	if before > 0 {
		add(`seq < $%d`, before)
	}
	if f.Actor != "" {
		add(`LOWER(actor) LIKE $%d ESCAPE '!'`, "%"+literally(strings.ToLower(f.Actor))+"%")
	}
	pattern := func(column, text string) {
		if prefix, wild := strings.CutSuffix(text, "*"); wild {
			add(column+` LIKE $%d ESCAPE '!'`, literally(prefix)+"%")
		} else if text != "" {
			add(column+` = $%d`, text)
		}
	}
	pattern("action", f.Action)
	pattern("prompt", f.Prompt)
	if f.Environment != "" {
		add(`environment = $%d`, f.Environment)
	}
	if f.Source != "" {
		add(`source = $%d`, f.Source)
	}
	if !f.From.IsZero() {
		add(`at_us >= $%d`, toMicros(f.From))
	}
	if !f.To.IsZero() {
		add(`at_us < $%d`, toMicros(f.To))
	}
	if len(all) == 0 {
		return "", nil
	}
	return "WHERE " + strings.Join(all, " AND "), args
}

// literally is text as LIKE finds it as it stands.
func literally(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}
