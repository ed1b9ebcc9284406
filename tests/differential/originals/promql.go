package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
)

// A time in which an alert was firing, in minutes from the start.
type firing struct {
	Alert       string
	Labels      map[string]string
	Annotations map[string]string
	From, To    int
}

func init() {
	// [expression…] → for each why it is none, "" where it is one.
	operations["promql.parse"] = func(arguments []string) any {
		faults := []string{}
		for _, text := range arguments {
			if _, err := parser.ParseExpr(text); err != nil {
				faults = append(faults, err.Error())
			} else {
				faults = append(faults, "")
			}
		}
		return faults
	}
	// [rules, labels of the target, stretches] → what was firing and when.
	operations["promql.alerts"] = func(arguments []string) any {
		groups, faults := rulefmt.Parse([]byte(arguments[0]), false, model.UTF8Validation)
		if faults != nil {
			fail(faults[0])
		}
		var target map[string]string
		var stretches []stretch
		for text, into := range map[string]any{arguments[1]: &target, arguments[2]: &stretches} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				fail(err)
			}
		}
		told, minutes := remembered(stretches, target, namesOf(groups))
		found := []firing{}
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				found = append(found, fired(rule, told, minutes)...)
			}
		}
		return found
	}
}

// The metrics that rules read: nobody has to remember the others.
func namesOf(groups *rulefmt.RuleGroups) map[string]bool {
	names := map[string]bool{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			expression, err := parser.ParseExpr(rule.Expr)
			if err != nil {
				fail(err)
			}
			for _, matchers := range parser.ExtractSelectors(expression) {
				for _, matcher := range matchers {
					if matcher.Name == model.MetricNameLabel {
						names[matcher.Value] = true
					}
				}
			}
		}
	}
	return names
}

// When a rule's alerts were firing: true at every minute for as long as it asks.
func fired(rule rulefmt.Rule, told storage.Queryable, minutes int) []firing {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: minute})
	query, err := engine.NewRangeQuery(context.Background(), told, nil, rule.Expr, moment(0), moment(minutes-1), minute)
	if err != nil {
		fail(err)
	}
	defer query.Close()
	matrix, err := query.Exec(context.Background()).Matrix()
	if err != nil {
		fail(fmt.Errorf("%s: %w", rule.Alert, err))
	}
	waits := int(time.Duration(rule.For) / minute)
	found := []firing{}
	for _, series := range matrix {
		since, last := -1, -2
		for _, seen := range series.Floats {
			now := int(time.Duration(seen.T) * time.Millisecond / minute)
			if now != last+1 {
				since = now
			}
			last = now
			if now-since == waits {
				found = append(found, alertOf(rule, series.Metric, seen, now))
			}
			if now-since >= waits {
				found[len(found)-1].To = now
			}
		}
	}
	return found
}

func alertOf(rule rulefmt.Rule, metric labels.Labels, seen promql.FPoint, now int) firing {
	all := metric.DropMetricName().Map()
	for name, text := range rule.Labels {
		all[name] = text
	}
	alert := firing{rule.Alert, all, map[string]string{}, now, now}
	data := template.AlertTemplateData(metric.Map(), nil, "", promql.Sample{T: seen.T, F: seen.F})
	variables := "{{$labels := .Labels}}{{$value := .Value}}"
	for name, text := range rule.Annotations {
		expander := template.NewTemplateExpander(
			context.Background(), variables+text, name, data, model.Time(seen.T), nil, &url.URL{}, nil,
		)
		expanded, err := expander.Expand()
		if err != nil {
			fail(err)
		}
		alert.Annotations[name] = expanded
	}
	return alert
}
