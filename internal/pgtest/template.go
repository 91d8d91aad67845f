package pgtest

import (
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Template is a database that is prepared once, for tests to have copies of.
type Template struct {
	prepare func(url string) error
	made    func() (name string, err error)
}

// NewTemplate returns a template that is made when its first copy is asked for.
// Prepare must have closed its connections when it returns.
func NewTemplate(prepare func(url string) error) *Template {
	return &Template{prepare, sync.OnceValues(func() (string, error) {
		base, err := server()
		if err != nil {
			return "", err
		}
		name := unique()
		if err := execute(base, "CREATE DATABASE "+name); err != nil {
			return "", err
		}
		return name, prepare(named(base, name))
	})}
}

// Copy returns the URL of a copy, which is dropped when the test ends. On a server
// that is not ours, where nothing must be left behind, it is a schema that is
// prepared anew.
func (p *Template) Copy(t testing.TB) string {
	t.Helper()
	if os.Getenv(external) != "" {
		fresh := Database(t)
		require.NoError(t, p.prepare(fresh))
		return fresh
	}
	base := address(t)
	template, err := p.made()
	require.NoError(t, err)
	name := unique()
	run(t, base, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() { run(t, base, "DROP DATABASE "+name+" WITH (FORCE)") })
	return named(base, name)
}

// named is the URL of another database of a server.
func named(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // it is ours
	}
	u.Path = "/" + name
	return u.String()
}
