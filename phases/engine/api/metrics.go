package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	longestMetric = 1 << 20 // bytes of one line
	mostMetrics   = 4 << 20 // bytes of all that is wanted
)

// metrics gets what one API server counts under the names given. It counts tens of thousands of other
// things: those are not decoded.
func (c *Client) metrics(ctx context.Context, host string, names ...string) (map[string]*dto.MetricFamily, error) {
	one, err := c.only(host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.pace.try)
	defer cancel()
	response, err := fetch(ctx, one.transport, one.url+"/metrics", one.dialer.preferred())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	var wanted bytes.Buffer
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, longestMetric)
	for lines.Scan() {
		if !slices.Contains(names, metricOf(lines.Text())) {
			continue
		}
		wanted.Write(lines.Bytes())
		wanted.WriteByte('\n')
		if wanted.Len() > mostMetrics {
			return nil, fmt.Errorf("its metrics %s are longer than %d bytes", strings.Join(names, " and "), mostMetrics)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(&wanted)
}

// metricOf is the name of the metric that a line is of; of a comment, which it is about.
func metricOf(line string) string {
	if comment, is := strings.CutPrefix(line, "# "); is {
		_, line, _ = strings.Cut(comment, " ") // after HELP or TYPE
	}
	if end := strings.IndexAny(line, "{ "); end >= 0 {
		return line[:end]
	}
	return line
}

// label is the value of a metric's label; empty where it has none of this name.
func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
