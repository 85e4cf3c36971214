package server

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxRef is the longest name of a call, in bytes: a provider's response id.
const maxRef = 256

// InCall is the call of a path: its id, or the provider's id of the response.
type InCall struct {
	Ref string `path:"ref" maxLength:"256" doc:"The call's id, or the response's"`
}

func (in InCall) ref() (string, error) {
	if in.Ref == "" || len(in.Ref) > maxRef || prompt.Visible(in.Ref) != in.Ref {
		return "", registry.Errorf(prompt.ErrInvalid, "a call is named by its id or the response's, 1 to %d bytes that can be seen", maxRef)
	}
	return in.Ref, nil
}

type rateInput struct {
	InCall
	Body api.Feedback
}

func (s *Server) rate(ctx context.Context, in *rateInput) (*reply[registry.FeedbackReceipt], error) {
	ref, err := in.ref()
	if err != nil {
		return nil, err
	}
	f, err := in.Body.Feedback()
	if err != nil {
		return nil, err
	}
	return answered(s.service.Rate(ctx, ref, f))
}

func (s *Server) trace(ctx context.Context, in *InCall) (*reply[registry.Trace], error) {
	ref, err := in.ref()
	if err != nil {
		return nil, err
	}
	return answered(s.service.Trace(ctx, ref))
}

// Period is a span of time: From is in it, To is not.
type Period struct {
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
}

// begin is where a period begins that may say so by how far it looks back.
func (s *Server) begin(p Period, since string) (time.Time, error) {
	if since == "" {
		return p.From, nil
	}
	back, err := api.ParseAge(since)
	if err == nil && !p.From.IsZero() {
		err = registry.Errorf(prompt.ErrInvalid, "from and since both say where to begin")
	}
	if err != nil {
		return time.Time{}, err
	}
	until := p.To
	if until.IsZero() {
		until = s.config.Now()
	}
	return until.Add(-back), nil
}

type statsInput struct {
	Period
	Prompt      string `query:"prompt" required:"true" maxLength:"300"`
	Environment string `query:"environment" maxLength:"64"`
	Version     string `query:"version" maxLength:"64"`
	Arm         string `query:"arm" maxLength:"128"`
	Since       string `query:"since" doc:"In the place of from: how far to look back, such as 24h (what is taken if nothing is said) or 30d" maxLength:"16"`
	By          string `query:"by" enum:"version,arm,hour" doc:"Parts to show beside the whole"`
}

func (s *Server) stats(ctx context.Context, in *statsInput) (*reply[registry.Stats], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	q := registry.StatsQuery{Prompt: id, Environment: in.Environment, Version: in.Version, Arm: in.Arm, From: in.From, To: in.To, By: in.By}
	if q.From, err = s.begin(in.Period, in.Since); err != nil {
		return nil, err
	}
	return answered(s.service.Stats(ctx, q))
}

type seriesInput struct {
	Period
	Prompt      string `query:"prompt" required:"true" maxLength:"300"`
	Environment string `query:"environment" maxLength:"64"`
	Since       string `query:"since" doc:"In the place of from: how far to look back, such as 24h (what is taken if nothing is said) or 30d" maxLength:"16"`
	By          string `query:"by" enum:"version,arm" default:"version" doc:"What a line is of"`
	Step        string `query:"step" enum:"1m,5m,15m,1h,6h,24h,168h" doc:"Between two points; chosen by the length of the period if nothing is said"`
}

func (s *Server) series(ctx context.Context, in *seriesInput) (*reply[registry.Series], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	q := registry.SeriesQuery{Prompt: id, Environment: in.Environment, From: in.From, To: in.To, By: in.By}
	if in.Step != "" {
		if q.Step, err = api.ParseAge(in.Step); err != nil {
			return nil, err
		}
	}
	if q.From, err = s.begin(in.Period, in.Since); err != nil {
		return nil, err
	}
	return answered(s.service.Series(ctx, q))
}

type ranInput struct {
	Environment string    `path:"environment" maxLength:"64"`
	At          time.Time `query:"at" doc:"Now, if it is left out"`
}

func (s *Server) ran(ctx context.Context, in *ranInput) (*reply[registry.WhatRan], error) {
	return answered(s.service.WhatRan(ctx, in.Environment, in.At))
}

type callsInput struct {
	Period
	Prompt      string `query:"prompt" maxLength:"300"`
	Environment string `query:"environment" maxLength:"64"`
	Version     string `query:"version" maxLength:"64"`
	Arm         string `query:"arm" maxLength:"128"`
	Outcome     string `query:"outcome" enum:"ok,error,cancelled"`
	ErrorClass  string `query:"error_class" enum:"provider,prompt,timeout,unknown" doc:"Of errors"`
	Score       string `query:"score" doc:"Calls with such a score: satisfaction, or the name of a feedback, and if you like bounds: satisfaction<=2, relevance>=0.5" maxLength:"128"`
	Order       string `query:"order" enum:"oldest,newest" default:"oldest" doc:"What was taken first comes first, or last"`
	Cursor      string `query:"cursor" doc:"next_cursor of the page before" maxLength:"64"`
	Limit       int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
}

// calls lists calls in the order in which they were committed, or backwards.
func (s *Server) calls(ctx context.Context, in *callsInput) (*reply[api.Page[registry.WireCall]], error) {
	q := registry.CallQuery{
		Environment: in.Environment, Version: in.Version, Arm: in.Arm, Outcome: registry.Outcome(in.Outcome), ErrorClass: in.ErrorClass,
		From: in.From, To: in.To, Newest: in.Order == "newest",
	}
	var err error
	if q.After, err = callsAfter(in.Cursor); err != nil {
		return nil, err
	}
	if q.Score, err = registry.ParseScoreBounds(in.Score); err != nil {
		return nil, err
	}
	if in.Prompt != "" {
		if q.Prompt, err = prompt.ParseID(in.Prompt); err != nil {
			return nil, err
		}
	}
	calls, next, err := s.service.Calls(ctx, q, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.Page[registry.WireCall]{Items: calls}
	if next > 0 {
		out.NextCursor = base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, next, 10))
	}
	return answered(out, nil)
}

// callsAfter is the number in a cursor, 0 for none.
func callsAfter(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if n, numberErr := strconv.ParseInt(string(text), 10, 64); err == nil && numberErr == nil && n > 0 {
		return n, nil
	}
	return 0, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the cursor is not one of this list"), "start again without a cursor")
}

type eraseInput struct{ Body api.EraseRequest }

func (s *Server) erase(ctx context.Context, in *eraseInput) (*reply[api.Erased], error) {
	n, err := s.service.Erase(ctx, in.Body.Subject)
	return answered(api.Erased{Erased: n}, err)
}
