package main

import (
	"io"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Scrapes and rules are once a minute.
const minute = time.Minute

// A stretch of time: counters grow each minute as they did from one scrape to the other, gauges are as in the other.
// Without a scrape the target is gone.
type stretch struct {
	Minutes       int
	Before, After string
}

// The wanted series of the stretches as a Prometheus stores them, and for how many minutes.
func remembered(stretches []stretch, target map[string]string, wanted map[string]bool) (*storage.MockQueryable, int) {
	samples := map[uint64][]chunks.Sample{}
	names := map[uint64]labels.Labels{}
	counted := map[uint64]float64{}
	alive := map[uint64]bool{}
	now := 0
	for _, one := range stretches {
		before, after := scraped(one.Before, target, wanted), scraped(one.After, target, wanted)
		for end := now + one.Minutes; now < end; now++ {
			at := timestamp.FromTime(moment(now))
			for key, sample := range after {
				shown := sample.value
				if sample.counts {
					if _, known := counted[key]; !known {
						counted[key] = before[key].value
					}
					counted[key] += sample.value - before[key].value
					shown = counted[key]
				}
				names[key] = sample.labels
				samples[key] = append(samples[key], point{at, shown})
				alive[key] = true
			}
			for key := range alive {
				if _, there := after[key]; !there {
					samples[key] = append(samples[key], point{at, math.Float64frombits(value.StaleNaN)})
					delete(alive, key)
				}
			}
		}
	}
	return stored(names, samples), now
}

func moment(minutes int) time.Time { return time.Unix(0, 0).Add(time.Duration(minutes) * minute) }

type scrapedSample struct {
	labels labels.Labels
	value  float64
	counts bool
}

// One scrape as Prometheus reads it; the target's labels go before those that the target has given itself.
func scraped(text string, target map[string]string, wanted map[string]bool) map[uint64]scrapedSample {
	found := map[uint64]scrapedSample{}
	parse, err := textparse.New([]byte(text), "text/plain; version=0.0.4", nil, textparse.ParserOptions{})
	if err != nil {
		fail(err)
	}
	counts := false
	for {
		entry, err := parse.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			fail(err)
		}
		switch entry {
		case textparse.EntryType:
			_, kind := parse.Type()
			counts = kind == model.MetricTypeCounter || kind == model.MetricTypeHistogram
		case textparse.EntrySeries:
			var own labels.Labels
			parse.Labels(&own)
			if !wanted[own.Get(model.MetricNameLabel)] {
				continue
			}
			all := labels.NewBuilder(own)
			for name, text := range target {
				if clashing := own.Get(name); clashing != "" {
					all.Set(model.ExportedLabelPrefix+name, clashing)
				}
				all.Set(name, text)
			}
			_, _, number := parse.Series()
			found[all.Labels().Hash()] = scrapedSample{all.Labels(), number, counts}
		}
	}
}

// Answers every selection from memory.
func stored(names map[uint64]labels.Labels, samples map[uint64][]chunks.Sample) *storage.MockQueryable {
	choose := func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		chosen := &seriesSet{at: -1}
		for key, name := range names {
			if matches(name, matchers) {
				chosen.series = append(chosen.series, storage.NewListSeries(name, samples[key]))
			}
		}
		return chosen
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: choose}}
}

func matches(name labels.Labels, matchers []*labels.Matcher) bool {
	for _, matcher := range matchers {
		if !matcher.Matches(name.Get(matcher.Name)) {
			return false
		}
	}
	return true
}

type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

type point struct {
	at    int64
	value float64
}

func (p point) T() int64                      { return p.at }
func (p point) F() float64                    { return p.value }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }
