package registry_test

import (
	"cmp"
	"os"
	"regexp"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := newAPI(t, backends["memory"](t)).do("GET", "/api/registry/openapi.yaml", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
}

func TestWhatIsSpecifiedIsServed(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	a := newAPI(t, backends["memory"](t))
	till, err := a.service.NewTill(registry.TillConfig{Paid: paidBy, Facilitator: &bank{}})
	require.NoError(t, err)
	a.handler = till.Handler()
	parameter := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			w := a.do(method, parameter.ReplaceAllString(path, "1"), "")
			switch {
			case len(*cmp.Or(operation.Security, &doc.Security)) > 0 && len((*cmp.Or(operation.Security, &doc.Security))[0]) > 0:
				require.Equal(t, 401, w.Code, "%s %s", method, path)
			default:
				require.NotContains(t, w.Body.String(), "There is no such path", "%s %s", method, path)
				require.NotEqual(t, 405, w.Code, "%s %s", method, path)
			}
		}
	}
}
