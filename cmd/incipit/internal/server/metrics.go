package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/incipit-dev/incipit/internal/registry"
)

// metrics are the figures of a server, in a registry of its own.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     sentEvents
	refused  prometheus.Counter
	handler  http.Handler

	// Of batches of calls, whatever came of them.
	rejected   *prometheus.CounterVec
	duplicates prometheus.Counter
	crowded    prometheus.Counter
	failed     prometheus.Counter
	ignored    prometheus.Counter
	recording  prometheus.Histogram
}

type sentEvents struct{ *prometheus.CounterVec }

func (e sentEvents) count(event string) { e.WithLabelValues(event).Inc() }

func newMetrics(s *Server) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "incipit_http_requests_total", Help: "Requests that were answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "incipit_http_request_seconds", Help: "How long requests took; streams, which end when somebody leaves, are left out.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
		sent:    sentEvents{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "incipit_stream_events_total", Help: "Events that streams were sent."}, []string{"event"})},
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_auth_failures_total", Help: "Requests without a key that opens."}),

		rejected:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "incipit_calls_rejected_total", Help: "Calls that were not taken, each with its reason."}, []string{"code"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_calls_duplicate_total", Help: "Calls that were known already."}),
		crowded:    prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_calls_refused_total", Help: "Requests with calls that were sent away, because too many were under way."}),
		failed:     prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_calls_failed_total", Help: "Batches of calls that could not be kept; their senders were told to send them again."}),
		ignored:    prometheus.NewCounter(prometheus.CounterOpts{Name: "incipit_spans_ignored_total", Help: "Spans that tell of no call of a prompt."}),
		recording: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "incipit_calls_commit_seconds", Help: "How long it took until a batch of calls was on disk, from when it was read.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "incipit_streams_open", Help: "Streams that are open."}, func() float64 { return float64(s.streams.count()) })
	r := s.config.Registry
	r.MustRegister(s.config.Figures.collectors()...)
	r.MustRegister(m.requests, m.seconds, m.sent, m.refused, open, newGauges(s),
		m.rejected, m.duplicates, m.crowded, m.failed, m.ignored, m.recording, s.config.Webhooks.attempts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return m
}

func (m *metrics) answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	if route != "stream" {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// recorded is told what became of a batch of calls.
func (m *metrics) recorded(in *registry.Intake, took time.Duration, err error) {
	if err != nil {
		m.failed.Inc()
		return
	}
	m.recording.Observe(took.Seconds())
	m.duplicates.Add(float64(in.Duplicates))
	for _, r := range in.Rejected {
		m.rejected.WithLabelValues(r.Code).Inc()
	}
}

func (m *metrics) serve(w *answer, r *http.Request) error {
	m.handler.ServeHTTP(w, r)
	return nil
}

// gauges are what the server knows when it is asked. Nothing is looked up for
// them: a database that is away must not make its own figures go away.
type gauges struct {
	s *Server

	revision, generation, writable, loaded, synced, problems, backlog, webhooks *prometheus.Desc
	callsWritable, underWay, underWayBytes                                      *prometheus.Desc
}

func newGauges(s *Server) *gauges {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("incipit_"+name, help, labels, nil)
	}
	return &gauges{
		s:          s,
		revision:   gauge("environment_revision", "Revision that is served.", "environment"),
		generation: gauge("environment_generation", "Generation that is served.", "environment"),
		writable:   gauge("store_writable", "1 if the last write probe passed."),
		loaded:     gauge("loaded", "1 if what runs was read."),
		synced:     gauge("sync_age_seconds", "Time since Git was last read."),
		problems:   gauge("sync_problems", "Tags that are not what was released."),
		backlog:    gauge("mirror_backlog", "Changes that registry.json in Git does not have yet."),

		webhooks: gauge("webhook_deliveries_waiting", "Notices that webhooks were not told yet."),

		callsWritable: gauge("calls_writable", "1 if the last batch of calls was kept."),
		underWay:      gauge("calls_requests_under_way", "Requests with calls that are read or written now."),
		underWayBytes: gauge("calls_bytes_under_way", "Room that their bodies take."),
	}
}

// Describe is for prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.revision, g.generation, g.writable, g.loaded, g.synced, g.problems, g.backlog, g.webhooks, g.callsWritable, g.underWay, g.underWayBytes} {
		out <- d
	}
}

// Collect is for prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, st := range g.s.hub.states() {
		tell(g.revision, float64(st.revision), st.env)
		tell(g.generation, float64(st.generation), st.env)
	}
	tell(g.loaded, truth(g.s.loaded.Load()))
	tell(g.callsWritable, truth(g.s.callsTrouble() == nil))
	now := g.s.admission.now()
	tell(g.underWay, float64(now.requests))
	tell(g.underWayBytes, float64(now.bytes))
	p := g.s.probed.Load()
	if p == nil {
		return
	}
	tell(g.writable, truth(p.err == nil))
	tell(g.webhooks, float64(p.untold))
	if p.sync != nil {
		if !p.sync.At.IsZero() {
			tell(g.synced, g.s.config.Now().Sub(p.sync.At).Seconds())
		}
		tell(g.problems, float64(len(p.sync.Problems)))
		tell(g.backlog, float64(p.sync.Backlog))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
