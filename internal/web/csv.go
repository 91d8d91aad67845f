package web

import (
	"net/http"
	"strings"
)

// Download is an answer in CSV that is written as it is made. Until its first
// byte an error can still be answered in the form of the API.
type Download struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

// NewDownload returns an answer that a browser saves as the file name.
func NewDownload(w http.ResponseWriter, name string) *Download {
	return &Download{w: w, name: name}
}

// Write implements io.Writer. The first call sends the header.
func (d *Download) Write(p []byte) (int, error) {
	d.begin()
	return d.w.Write(p)
}

func (d *Download) begin() {
	if d.begun {
		return
	}
	d.begun = true
	h := d.w.Header()
	Secure(h)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	h.Set("Cache-Control", "no-store")
}

// End returns err to be answered. If a part is out already it breaks the
// connection, so that nobody takes the part for the whole.
func (d *Download) End(err error) error {
	if err != nil && d.begun {
		panic(http.ErrAbortHandler)
	}
	return err
}

// Cell is s as text for a cell of a table: a spreadsheet takes what begins like a
// formula for one.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
