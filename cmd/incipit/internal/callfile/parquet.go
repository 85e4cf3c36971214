package callfile

import (
	"io"
	"maps"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A row is a call as Parquet has it. Columns are named as on the wire, and are
// null where a call leaves its field out.
type row struct {
	ID           string            `parquet:"id,optional"`
	Prompt       string            `parquet:"prompt,dict"`
	Version      string            `parquet:"version,dict"`
	Environment  string            `parquet:"environment,dict"`
	Arm          string            `parquet:"arm,dict,optional"`
	Rollout      string            `parquet:"rollout,dict,optional"`
	Share        *float64          `parquet:"share,dict,optional"`
	Subject      string            `parquet:"subject,optional"`
	StartedAt    time.Time         `parquet:"started_at,timestamp(microsecond),delta"`
	LatencyMS    float64           `parquet:"latency_ms"`
	FirstTokenMS *float64          `parquet:"ttft_ms,optional"`
	InputTokens  *int64            `parquet:"input_tokens,optional"`
	OutputTokens *int64            `parquet:"output_tokens,optional"`
	CachedTokens *int64            `parquet:"cached_tokens,optional"`
	CostUSD      *float64          `parquet:"cost_usd,optional"`
	Outcome      string            `parquet:"outcome,dict"`
	ErrorClass   string            `parquet:"error_class,dict,optional"`
	FinishReason string            `parquet:"finish_reason,dict,optional"`
	Model        string            `parquet:"model,dict,optional"`
	ResponseID   string            `parquet:"response_id,optional"`
	Satisfaction *float64          `parquet:"satisfaction,dict,optional"`
	Tags         map[string]string `parquet:"tags,optional" parquet-key:",dict" parquet-value:",dict"`
	Input        string            `parquet:"input,optional"`
	Output       string            `parquet:"output,optional"`
}

func rowOf(c *registry.WireCall) row {
	return row{
		ID: c.ID, Prompt: string(c.Prompt), Version: c.Version, Environment: c.Environment,
		Arm: c.Arm, Rollout: c.Rollout, Share: c.Share, Subject: c.Subject,
		StartedAt: c.StartedAt, LatencyMS: c.LatencyMS, FirstTokenMS: c.FirstTokenMS,
		InputTokens: c.InputTokens, OutputTokens: c.OutputTokens, CachedTokens: c.CachedTokens, CostUSD: c.CostUSD,
		Outcome: string(c.Outcome), ErrorClass: string(c.ErrorClass), FinishReason: c.FinishReason, Model: c.Model,
		ResponseID: c.ResponseID, Satisfaction: c.Satisfaction, Tags: c.Tags, Input: c.Input, Output: c.Output,
	}
}

// A row group is held in memory until it is full of one of these.
const (
	groupRows  = 100_000
	groupBytes = 16 << 20 // of texts, before compression
	chunk      = 64       // rows between two looks at the size
)

// columns is a Parquet file.
type columns struct {
	w     *parquet.GenericWriter[row]
	full  int // bytes of texts that fill a row group
	rows  []row
	bytes int // of texts in the row group
	count int // of rows in the row group
}

func newColumns(w io.Writer, full int) *columns {
	return &columns{full: full, w: parquet.NewGenericWriter[row](w,
		parquet.Compression(&zstd.Codec{}),
		parquet.DictionaryMaxBytes(1<<20), // a dictionary of as many values as rows would only cost
		// Bounds of contents say nothing, and would repeat two of them a page.
		parquet.SkipPageBounds("input"), parquet.SkipPageBounds("output"),
		parquet.SkipPageStatistics("input"), parquet.SkipPageStatistics("output"),
	)}
}

func (c *columns) Write(calls []registry.WireCall) error {
	for part := range slices.Chunk(calls, chunk) {
		c.rows = c.rows[:0]
		for i := range part {
			c.rows = append(c.rows, rowOf(&part[i]))
			c.bytes += textBytes(&part[i])
		}
		if _, err := c.w.Write(c.rows); err != nil {
			return err
		}
		if c.count += len(part); c.count < groupRows && c.bytes < c.full {
			continue
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		c.count, c.bytes = 0, 0
	}
	return nil
}

// textBytes is how long the texts of a call are that may be long.
func textBytes(c *registry.WireCall) int {
	n := len(c.Subject) + len(c.ResponseID) + len(c.Input) + len(c.Output)
	for k, v := range maps.All(c.Tags) {
		n += len(k) + len(v)
	}
	return n
}

func (c *columns) Close() error { return c.w.Close() }
