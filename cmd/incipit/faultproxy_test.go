package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// A proxy stands before a server and swallows answers to changes: the server
// has carried them out, and the connection breaks.
type proxy struct {
	url     string
	drop    atomic.Int64 // so many of the next answers
	dropped atomic.Int64
}

func (f *fault) proxy(v *serving) *proxy {
	f.Helper()
	to, err := url.Parse(v.url())
	if err != nil {
		f.Fatal(err)
	}
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != http.MethodGet && r.StatusCode == http.StatusOK && p.drop.Add(-1) >= 0 {
				p.dropped.Add(1)
				panic(http.ErrAbortHandler)
			}
			p.drop.CompareAndSwap(-1, 0)
			return nil
		},
	}
	s := httptest.NewServer(forward)
	f.Cleanup(s.Close)
	p.url = s.URL
	return p
}
