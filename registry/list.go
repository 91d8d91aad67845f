package registry

// PageOptions asks for one page of a list, counted from 1.
type PageOptions struct {
	Page    int // 1 if not positive
	PerPage int // [DefaultPerPage] if not positive, at most [MaxPerPage]
}

// Bounds of a page.
const (
	DefaultPerPage = 25
	MaxPerPage     = 250
	maxPage        = 1_000_000
)

// Bounded is o with its defaults and within its bounds.
func (o PageOptions) Bounded() PageOptions {
	o.Page = min(max(o.Page, 1), maxPage)
	if o.PerPage <= 0 {
		o.PerPage = DefaultPerPage
	}
	o.PerPage = min(o.PerPage, MaxPerPage)
	return o
}

// Offset is how many entries come before the page.
func (o PageOptions) Offset() int {
	o = o.Bounded()
	return (o.Page - 1) * o.PerPage
}

// List is one page.
type List[T any] struct {
	Items   []T
	Total   int64 // on all pages
	Page    int
	PerPage int
}

// LastPage is the number of the last page, at least 1.
func (l List[T]) LastPage() int {
	return max(1, int((l.Total+int64(l.PerPage)-1)/int64(max(l.PerPage, 1))))
}
