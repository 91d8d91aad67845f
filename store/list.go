package store

// PageNumber asks for one page of a list that is counted, from 1.
type PageNumber struct {
	Page int // 1 if not positive
	Size int // entries on a page; [DefaultLimit] if not positive, at most [MaxLimit]
}

// Bounded is p with its defaults and within its bounds.
func (p PageNumber) Bounded() PageNumber {
	const lastPage = 1_000_000
	p.Page = min(max(p.Page, 1), lastPage)
	p.Size = Page{Limit: p.Size}.Size()
	return p
}

// Offset is how many entries come before the page.
func (p PageNumber) Offset() int {
	p = p.Bounded()
	return (p.Page - 1) * p.Size
}

// List is one page of a list that is counted.
type List[T any] struct {
	Items []T
	Total int64 // on all pages
	Page  int
	Size  int
}

// Pages is how many pages there are; 0 if nothing is listed.
func (l List[T]) Pages() int64 {
	size := int64(max(l.Size, 1))
	return (l.Total + size - 1) / size
}
