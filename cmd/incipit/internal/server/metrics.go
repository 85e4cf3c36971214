package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the figures of a server, in a registry of its own.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     sentEvents
	refused  prometheus.Counter
	handler  http.Handler
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
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "incipit_streams_open", Help: "Streams that are open."}, func() float64 { return float64(s.streams.count()) })
	r := prometheus.NewRegistry()
	r.MustRegister(m.requests, m.seconds, m.sent, m.refused, open, &gauges{s},
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

func (m *metrics) serve(w *answer, r *http.Request) error {
	m.handler.ServeHTTP(w, r)
	return nil
}

// gauges are what the server knows when it is asked. Nothing is looked up for
// them: a database that is away must not make its own figures go away.
type gauges struct{ s *Server }

// The gauges.
var (
	revisionGauge   = prometheus.NewDesc("incipit_environment_revision", "Revision that is served.", []string{"environment"}, nil)
	generationGauge = prometheus.NewDesc("incipit_environment_generation", "Generation that is served.", []string{"environment"}, nil)
	writableGauge   = prometheus.NewDesc("incipit_store_writable", "1 if the last write probe passed.", nil, nil)
	loadedGauge     = prometheus.NewDesc("incipit_loaded", "1 if what runs was read.", nil, nil)
	syncGauge       = prometheus.NewDesc("incipit_sync_age_seconds", "Time since Git was last read.", nil, nil)
	problemsGauge   = prometheus.NewDesc("incipit_sync_problems", "Tags that are not what was released.", nil, nil)
	backlogGauge    = prometheus.NewDesc("incipit_mirror_backlog", "Changes that registry.json in Git does not have yet.", nil, nil)
)

// Describe is for prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{revisionGauge, generationGauge, writableGauge, loadedGauge, syncGauge, problemsGauge, backlogGauge} {
		out <- d
	}
}

// Collect is for prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, st := range g.s.hub.states() {
		tell(revisionGauge, float64(st.revision), st.env)
		tell(generationGauge, float64(st.generation), st.env)
	}
	tell(loadedGauge, truth(g.s.loaded.Load()))
	p := g.s.probed.Load()
	if p == nil {
		return
	}
	tell(writableGauge, truth(p.err == nil))
	if p.sync != nil {
		if !p.sync.At.IsZero() {
			tell(syncGauge, g.s.config.Now().Sub(p.sync.At).Seconds())
		}
		tell(problemsGauge, float64(len(p.sync.Problems)))
		tell(backlogGauge, float64(p.sync.Backlog))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
