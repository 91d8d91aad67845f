package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web"
)

func TestADownloadThatFailsInTheMiddleIsCutOff(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	w := httptest.NewRecorder()
	d := web.NewDownload(w, "list.csv")
	require.Equal(t, broken, d.End(broken), "nothing is out: it can be answered")
	require.Empty(t, w.Header())

	_, err := d.Write([]byte("id\n"))
	require.NoError(t, err)
	require.Equal(t, `attachment; filename="list.csv"`, w.Header().Get("Content-Disposition"))
	require.Equal(t, "text/csv; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.NoError(t, d.End(nil))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { _ = d.End(broken) })
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "text": "text", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM": "'@SUM", "\tx": "'\tx", "\r=1": "'\r=1", "1=1": "1=1",
	} {
		require.Equal(t, want, web.Cell(in))
	}
}
