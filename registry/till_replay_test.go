package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// tap keeps the payment of the last request that it passed on.
type tap struct{ payment string }

func (p *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if sent := r.Header.Get(x402.HeaderPaymentSignature); sent != "" {
		p.payment = sent
	}
	return http.DefaultTransport.RoundTrip(r)
}

// url is where a settlement is paid.
func (c *counter) url(id int64) string {
	return c.site.URL + "/api/settlements/" + strconv.FormatInt(id, 10) + "/x402"
}

// send posts a payment that was made before, or none, to the till of a settlement.
func (c *counter) send(t *testing.T, id int64, payment string) (status int, body string) {
	t.Helper()
	a, err := c.sent(t, id, payment)
	require.NoError(t, err)
	return a.status, a.body
}

// answered is an answer to a payment.
type answered struct {
	status  int
	body    string
	receipt *x402.SettleResponse // what became of the payment, if it says so
}

func (c *counter) sent(t *testing.T, id int64, payment string) (answered, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(id), nil)
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("X-API-Key", c.key)
	if payment != "" {
		r.Header.Set(x402.HeaderPaymentSignature, payment)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	receipt, _ := payer.ReceiptFrom(w)
	return answered{w.StatusCode, string(b), receipt}, err
}

var errKept = errors.New("the payment is kept")

// keeper keeps a payment instead of sending it.
type keeper struct{ payment string }

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.payment = r.Header.Get(x402.HeaderPaymentSignature); k.payment != "" {
		return nil, errKept
	}
	return http.DefaultTransport.RoundTrip(r)
}

// signed is a payment of what is due that was not sent.
func (c *counter) signed(t *testing.T) string {
	t.Helper()
	keep := &keeper{}
	status, body := c.payOver(t, keep)
	require.Zero(t, status)
	require.Contains(t, body, errKept.Error())
	return keep.payment
}

// requirePaid requires that an answer says that its payment has closed the settlement.
func requirePaid(t *testing.T, a answered) {
	t.Helper()
	require.Equal(t, 200, a.status, a.body)
	require.Contains(t, a.body, "Settlement paid successfully")
	require.NotNil(t, a.receipt)
	require.True(t, a.receipt.Success)
	require.Equal(t, "0x1", a.receipt.Transaction)
}

func TestWhoPaidAndLostTheAnswerGetsItAlsoWhereTheGuardForgot(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	payment := c.signed(t)
	first, err := c.sent(t, c.due.ID, payment)
	require.NoError(t, err)
	requirePaid(t, first)
	c.serve(t, middleware.SettleBefore)
	again, err := c.sent(t, c.due.ID, payment)
	require.NoError(t, err)
	requirePaid(t, again)
	require.Equal(t, first.body, again.body)
	require.Equal(t, 1, c.bank.moved)
}

func TestAPaymentThatMovedBeforeACrashClosesTheSettlementWhenItComesAgain(t *testing.T) {
	t.Parallel()
	for _, forgotten := range []bool{false, true} {
		c := openCounter(t)
		payment := c.signed(t)
		c.bank.next = []any{lost{}}
		a, err := c.sent(t, c.due.ID, payment)
		require.NoError(t, err)
		require.Equal(t, 502, a.status, a.body)
		require.Equal(t, registry.SettlementIssued, c.current(t).Status)
		if forgotten {
			c.serve(t, middleware.SettleBefore)
		}
		a, err = c.sent(t, c.due.ID, payment)
		require.NoError(t, err)
		requirePaid(t, a)
		require.Equal(t, registry.SettlementConfirmed, c.current(t).Status)
		require.Equal(t, 1, c.bank.moved)
	}
}

func TestAfterACrashNobodyIsAskedToPayAgainHoweverLate(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	c.bank.next = []any{lost{}}
	status, body := c.send(t, c.due.ID, c.signed(t))
	require.Equal(t, 502, status, body)
	c.now = c.current(t).PaymentUntil
	status, body = c.send(t, c.due.ID, "")
	require.Equal(t, 200, status, body)
	require.Equal(t, registry.SettlementConfirmed, c.current(t).Status)
}

func TestAPaymentThatComesAgainIsToldWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	payment := c.signed(t)
	poor := refused(x402.ReasonEVMInsufficientFunds)
	c.bank.next = []any{poor, poor}
	c.send(t, c.due.ID, payment)
	a, err := c.sent(t, c.due.ID, payment)
	require.NoError(t, err)
	require.Equal(t, 402, a.status, a.body)
	require.Equal(t, x402.ReasonEVMInsufficientFunds, a.receipt.ErrorReason)
	require.False(t, a.receipt.Success)
	c.bank.next = []any{errors.New("the line is dead")}
	a, err = c.sent(t, c.due.ID, payment)
	require.NoError(t, err)
	require.Equal(t, 502, a.status, a.body)
	require.Contains(t, a.body, "never a new one")
	a, err = c.sent(t, c.due.ID, payment)
	require.NoError(t, err)
	requirePaid(t, a)
	require.Equal(t, 1, c.bank.moved)
}

func TestAFacilitatorThatCannotTellFreesNoSettlement(t *testing.T) {
	t.Parallel()
	for _, reason := range []x402.Reason{x402.ReasonRelayerUnavailable, x402.ReasonUnexpectedSettle, x402.ReasonFacilitatorUnreached, ""} {
		c := openCounter(t)
		payment := c.signed(t)
		c.bank.next = []any{errors.New("the line is dead")}
		c.send(t, c.due.ID, payment)
		c.now = c.current(t).PaymentUntil
		c.bank.next = []any{refused(reason)}
		_, err := c.till.Check(t.Context(), c.due.ID)
		require.Equal(t, registry.ErrPaymentUnderWay, err, "%s", reason)
		require.NotEmpty(t, c.current(t).PaymentKey)
	}
}

func TestASecondPaymentOfAClosedSettlementIsNotTakenNorSaidToBe(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	one, other := c.signed(t), c.signed(t)
	a, err := c.sent(t, c.due.ID, one)
	require.NoError(t, err)
	requirePaid(t, a)
	a, err = c.sent(t, c.due.ID, other)
	require.NoError(t, err)
	require.Equal(t, 400, a.status, a.body)
	require.Nil(t, a.receipt)
	require.Equal(t, 1, c.bank.moved)
}

func TestOnePaymentSentManyTimesAtOnceClosesItsSettlementAndIsAlwaysToldSo(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	payment := c.signed(t)
	answers := make([]answered, 20)
	var g errgroup.Group
	for i := range answers {
		g.Go(func() (err error) {
			answers[i], err = c.sent(t, c.due.ID, payment)
			return err
		})
	}
	require.NoError(t, g.Wait())
	for _, a := range answers {
		requirePaid(t, a)
		require.Equal(t, answers[0].body, a.body)
	}
	require.Equal(t, 1, c.bank.moved)
}

// elsewhere is a payment with another URL: nobody signs that.
func elsewhere(t *testing.T, payment string, url string) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(payment)
	require.NoError(t, err)
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &m))
	require.Contains(t, m, "resource")
	m["resource"] = json.RawMessage(`{"url":` + strconv.Quote(url) + `}`)
	text, err = json.Marshal(m)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(text)
}

func TestOnePaymentPaysOneSettlementAlsoWhereTheGuardForgot(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	paid := c.due
	sent := new(tap)
	status, body := c.payOver(t, sent)
	require.Equal(t, 200, status, body)
	c.due = c.issued(t)
	require.Equal(t, paid.Net, c.due.Net, "the same price, to the same payee")
	c.serve(t, middleware.SettleBefore) // another replica, or the same after a restart
	status, body = c.send(t, c.due.ID, elsewhere(t, sent.payment, c.url(c.due.ID)))

	require.NotEqual(t, 200, status, body)
	require.Equal(t, registry.SettlementIssued, c.current(t).Status)
	require.Equal(t, 1, c.bank.moved)
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Equal(t, 2, c.bank.moved, "and a payment of its own closes it")
}
