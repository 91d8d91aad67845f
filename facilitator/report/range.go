package report

import (
	"time"

	"github.com/v402/v402/internal/web/v402api"
)

// Group is how long the periods of a report are.
type Group string

// The periods, all in UTC: days from midnight, weeks from Monday.
const (
	GroupHour  Group = "hour"
	GroupDay   Group = "day"
	GroupWeek  Group = "week"
	GroupMonth Group = "month"
)

var groups = []Group{GroupHour, GroupDay, GroupWeek, GroupMonth}

// MaxPeriods is how many periods a report has at most.
const MaxPeriods = 1000

const day = 24 * time.Hour

// Range is the time of a report, [From, To). It is widened to whole hours. If To
// is zero it is now, and if From is, 30 days before To.
type Range struct{ From, To time.Time }

// Last is the last second within r.
func (r Range) Last() time.Time { return r.To.Add(-time.Second) }

// start is the beginning of the period of t.
func (g Group) start(t time.Time) time.Time {
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch g {
	case GroupHour:
		return t.Truncate(time.Hour)
	case GroupWeek:
		return midnight.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	case GroupMonth:
		return midnight.AddDate(0, 0, 1-t.Day())
	default:
		return midnight
	}
}

// next is the beginning of the period after the one that begins at start.
func (g Group) next(start time.Time) time.Time {
	switch g {
	case GroupHour:
		return start.Add(time.Hour)
	case GroupWeek:
		return start.AddDate(0, 0, 7)
	case GroupMonth:
		return start.AddDate(0, 1, 0)
	default:
		return start.AddDate(0, 0, 1)
	}
}

// periods are those of a report: what is counted between bounds, and what each is
// called by, which the first may begin after.
type periods struct {
	Range
	group  Group // day if none was given
	bounds []time.Time
	starts []time.Time
}

func (s *Service) periods(r Range, g Group) (periods, error) {
	if g == "" {
		g = GroupDay
	}
	var f v402api.Faults
	v402api.Enum(&f, "group_by", g, groups...)
	if r.To.IsZero() {
		r.To = s.options.Now()
	}
	r.To = r.To.UTC().Add(time.Hour - 1).Truncate(time.Hour)
	if r.From.IsZero() {
		r.From = r.To.Add(-30 * day)
	}
	r.From = r.From.UTC().Truncate(time.Hour)
	if !r.From.Before(r.To) {
		f.Add("start_date", v402api.InvalidRange, "start_date must be before end_date")
	}
	p := periods{Range: r, group: g, bounds: []time.Time{r.From}}
	for at := g.start(r.From); at.Before(r.To) && len(f) == 0; {
		if len(p.starts) == MaxPeriods {
			f.Add("group_by", v402api.InvalidRange, "group_by must be longer for this range: a report has at most 1000 periods")
		}
		p.starts = append(p.starts, at)
		if at = g.next(at); at.After(r.To) {
			at = r.To
		}
		p.bounds = append(p.bounds, at)
	}
	return p, f.Err()
}
