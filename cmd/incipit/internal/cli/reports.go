package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A reportForm is a form in which a report is written to a file.
type reportForm struct {
	name   string // in --report-dir
	suffix string
	write  func(*report.Report) ([]byte, error)
}

func reportForms() []reportForm {
	return []reportForm{
		{"report.json", ".json", func(r *report.Report) ([]byte, error) { return r.JSON() }},
		{"report.md", ".md", func(r *report.Report) ([]byte, error) { return r.Markdown(), nil }},
		{"junit.xml", ".xml", func(r *report.Report) ([]byte, error) { return r.JUnit() }},
		{"report.sarif", ".sarif", func(r *report.Report) ([]byte, error) { return r.SARIF(programVersion()) }},
		{"report.html", ".html", func(r *report.Report) ([]byte, error) { return r.HTML() }},
	}
}

// formOf is the form that a file's name asks for.
func formOf(name string) (reportForm, error) {
	forms := reportForms()
	i := slices.IndexFunc(forms, func(f reportForm) bool { return strings.HasSuffix(name, f.suffix) })
	if i < 0 {
		return reportForm{}, registry.Errorf(prompt.ErrInvalid, "%q says no form: end it with .json, .md, .xml, .sarif or .html", prompt.Clip(name, 80))
	}
	return forms[i], nil
}

// writeReports writes the report into each file and into the directory, a file
// whole or not at all.
func writeReports(r *report.Report, files []string, dir string) error {
	var errs []error
	for _, name := range files {
		form, err := formOf(name)
		if err != nil {
			return err
		}
		errs = append(errs, writeReport(r, form, name))
	}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return errors.Join(append(errs, unwritten(err))...)
		}
		for _, form := range reportForms() {
			errs = append(errs, writeReport(r, form, filepath.Join(dir, form.name)))
		}
	}
	return errors.Join(errs...)
}

func unwritten(err error) error {
	return registry.WithFix(fmt.Errorf("the report is not written: %w", err), "name another place, or make room there")
}

func writeReport(r *report.Report, form reportForm, name string) error {
	data, err := form.write(r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp := name + ".incipit-tmp"
	err = os.WriteFile(tmp, data, 0o644)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp) // the first error says more
		return unwritten(err)
	}
	return nil
}

// statusOf is the exit status of a report's verdict.
func statusOf(r *report.Report) int {
	switch r.Verdict {
	case report.Passed:
		return api.OK
	case report.Invalid:
		return api.Invalid
	case report.Unavailable:
		return api.Unavailable
	case report.Refused:
		return api.Gate
	}
	return api.Failure
}
