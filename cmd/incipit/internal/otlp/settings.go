package otlp

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// settings are what the environment says of exporting. Header values are
// secrets: settings are never printed, and no error here quotes a value of one.
type settings struct {
	traces, metrics target
	sampler         sdktrace.Sampler
	resource        []attribute.KeyValue
	interval        time.Duration // between two exports of metrics
}

// A target is where one signal goes; without a URL it goes nowhere.
type target struct {
	url     string
	headers map[string]string
	gzip    bool
	timeout time.Duration
	client  *http.Client
}

// An environment is os.Getenv or like it: "" is a variable that is not set.
type environment func(string) string

// of is the variable of a signal (TRACES, METRICS), or else the one of both.
func (e environment) of(signal, name string) (value, variable string) {
	variable = "OTEL_EXPORTER_OTLP_" + signal + "_" + name
	if value = strings.TrimSpace(e(variable)); value != "" {
		return value, variable
	}
	variable = "OTEL_EXPORTER_OTLP_" + name
	return strings.TrimSpace(e(variable)), variable
}

// settings reads the variables of the OpenTelemetry specification. Without an
// endpoint nothing is exported: its default is no place that was configured.
func (e environment) settings(version string) (s settings, err error) {
	if strings.EqualFold(strings.TrimSpace(e("OTEL_SDK_DISABLED")), "true") {
		return settings{}, nil
	}
	if s.traces, err = e.target("TRACES", "/v1/traces"); err != nil {
		return settings{}, err
	}
	if s.metrics, err = e.target("METRICS", "/v1/metrics"); err != nil {
		return settings{}, err
	}
	if s.sampler, err = e.sampler(); err != nil {
		return settings{}, err
	}
	if s.resource, err = e.resource(version); err != nil {
		return settings{}, err
	}
	s.interval, err = e.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", time.Minute)
	return s, err
}

func (e environment) target(signal, path string) (t target, err error) {
	switch exporter := strings.TrimSpace(e("OTEL_" + signal + "_EXPORTER")); exporter {
	case "", "otlp":
	case "none":
		return target{}, nil
	default:
		return target{}, invalid("OTEL_"+signal+"_EXPORTER", exporter, "otlp or none")
	}
	endpoint, variable := e.of(signal, "ENDPOINT")
	if endpoint == "" {
		return target{}, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return target{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is no address to export to", variable), // not quoted: it may hold a password
			"write it as http://HOST:4318 or https://HOST; what signs you in goes into OTEL_EXPORTER_OTLP_HEADERS")
	}
	if variable == "OTEL_EXPORTER_OTLP_ENDPOINT" { // the one of a signal is used as it is
		u = u.JoinPath(path)
	}
	t.url = u.String()
	if protocol, name := e.of(signal, "PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return target{}, invalid(name, protocol, "http/protobuf; a collector takes it on port 4318")
	}
	switch compression, name := e.of(signal, "COMPRESSION"); compression {
	case "gzip":
		t.gzip = true
	case "", "none":
	default:
		return target{}, invalid(name, compression, "gzip or none")
	}
	if t.headers, err = e.headers(signal); err != nil {
		return target{}, err
	}
	_, name := e.of(signal, "TIMEOUT")
	if t.timeout, err = e.milliseconds(name, 10*time.Second); err != nil {
		return target{}, err
	}
	t.client, err = e.client(signal, t.timeout)
	return t, err
}

// headers reads "name=value,name=value", values percent-encoded. Both variables
// must be readable, also where one of them does not count: OpenTelemetry's
// exporters look at both, and print the text of what they cannot read.
func (e environment) headers(signal string) (map[string]string, error) {
	const both = "OTEL_EXPORTER_OTLP_HEADERS"
	headers, err := pairs(e(both), both)
	if err != nil {
		return nil, err
	}
	own, variable := e.of(signal, "HEADERS")
	if own != "" && variable != both {
		if headers, err = pairs(own, variable); err != nil {
			return nil, err
		}
	}
	return headers, nil
}

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

// pairs reads a list as W3C baggage has it. Its errors name no value.
func pairs(list, variable string) (map[string]string, error) {
	all := make(map[string]string)
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		if n++; strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || name == "" || strings.Trim(name, nameChars) != "" || strings.ContainsAny(value, "\r\n\x00") {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "entry %d of %s cannot be read", n, variable), "write it as name=value,name=value, with %%2C for a comma in a value")
		}
		all[name] = value
	}
	return all, nil
}

// client sends to nobody else: it follows no redirect, which would carry headers
// to a place that was not configured.
func (e environment) client(signal string, timeout time.Duration) (*http.Client, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 4,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}
	c := &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	authority, name := e.of(signal, "CERTIFICATE")
	certificate, _ := e.of(signal, "CLIENT_CERTIFICATE")
	key, keyName := e.of(signal, "CLIENT_KEY")
	if authority == "" && certificate == "" && key == "" {
		return c, nil
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		text, err := os.ReadFile(authority)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(text) {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s names no readable certificate", name), "give a file in PEM format")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	if certificate != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s and the certificate beside it cannot be read", keyName), "give both files, in PEM format")
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (e environment) sampler() (sdktrace.Sampler, error) {
	name, arg := strings.TrimSpace(e("OTEL_TRACES_SAMPLER")), strings.TrimSpace(e("OTEL_TRACES_SAMPLER_ARG"))
	ratio := 1.0
	if strings.HasSuffix(name, "traceidratio") && arg != "" {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, invalid("OTEL_TRACES_SAMPLER_ARG", arg, "a part from 0 to 1, such as 0.01")
		}
	}
	root := sdktrace.AlwaysSample()
	kind, fromParent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	switch kind {
	case "always_on":
	case "always_off":
		root = sdktrace.NeverSample()
	case "traceidratio":
		root = sdktrace.TraceIDRatioBased(ratio)
	default:
		return nil, invalid("OTEL_TRACES_SAMPLER", name, "always_on, always_off or traceidratio, or one of them with parentbased_ before it")
	}
	if fromParent {
		return sdktrace.ParentBased(root), nil
	}
	return root, nil
}

// resource is what the exported says of its process. OTEL_SERVICE_NAME wins.
func (e environment) resource(version string) ([]attribute.KeyValue, error) {
	all, err := pairs(e("OTEL_RESOURCE_ATTRIBUTES"), "OTEL_RESOURCE_ATTRIBUTES")
	if err != nil {
		return nil, err
	}
	all["service.name"] = cmp.Or(strings.TrimSpace(e("OTEL_SERVICE_NAME")), all["service.name"], "incipit")
	all["service.version"] = cmp.Or(all["service.version"], version)
	var attrs []attribute.KeyValue
	for name, value := range all {
		attrs = append(attrs, attribute.String(name, value))
	}
	return attrs, nil
}

func (e environment) milliseconds(variable string, unset time.Duration) (time.Duration, error) {
	told := strings.TrimSpace(e(variable))
	if told == "" {
		return unset, nil
	}
	ms, err := strconv.ParseUint(told, 10, 31)
	if err != nil || ms == 0 {
		return 0, invalid(variable, told, "a number of milliseconds, such as "+strconv.FormatInt(unset.Milliseconds(), 10))
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func invalid(variable, value, fix string) error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is %q, which is not understood", variable, prompt.Clip(value, 60)), "write %s", fix)
}
