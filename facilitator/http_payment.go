package facilitator

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/x402"
)

// MaxBody bounds the body of POST /verify and POST /settle, in bytes.
const MaxBody = 64 << 10

// postVerify answers 200 to every payment that it understands, refused or not.
func (s *Service) postVerify(w http.ResponseWriter, r *http.Request) {
	if !s.admitted(w, r) {
		return
	}
	p, status, err := readPayment(r)
	if err != nil {
		s.write(w, status, x402.VerifyResponse{
			InvalidReason: x402.ReasonOf(err, x402.ReasonInvalidPayload), InvalidMessage: messageOf(err),
		})
		return
	}
	answer, err := s.Verify(r.Context(), p)
	if err != nil {
		s.unavailable(w, r, err, x402.ReasonUnexpectedVerify.Description())
		return
	}
	s.write(w, http.StatusOK, answer)
}

// postSettle answers 200 to every payment that it understands, settled or not.
func (s *Service) postSettle(w http.ResponseWriter, r *http.Request) {
	if !s.admitted(w, r) {
		return
	}
	p, status, err := readPayment(r)
	if err != nil {
		s.write(w, status, x402.SettleResponse{
			ErrorReason: x402.ReasonOf(err, x402.ReasonInvalidPayload), ErrorMessage: messageOf(err),
		})
		return
	}
	answer, err := s.Settle(r.Context(), p)
	if err != nil {
		s.unavailable(w, r, err, x402.ReasonUnexpectedSettle.Description()+"; send the same payment again, never a new one")
		return
	}
	if name, ok := answer.Network.V1Name(); ok && p.Payload.Version == x402.V1 {
		answer.Network = x402.Network(name)
	}
	s.write(w, http.StatusOK, answer)
}

// readPayment decodes the body of r, whatever its content type. status is that
// of the answer to a body that cannot be read.
func readPayment(r *http.Request) (p x402.Payment, status int, err error) {
	err = web.Body(r, MaxBody, p.UnmarshalJSON)
	switch {
	case errors.Is(err, web.ErrTooLarge):
		return p, http.StatusRequestEntityTooLarge, fmt.Errorf("%w: more than %d bytes", err, MaxBody)
	case err != nil:
		return p, http.StatusBadRequest, err
	default:
		return p, http.StatusOK, nil
	}
}

// messageOf says what is wrong with a body.
func messageOf(err error) string {
	var e *x402.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return err.Error()
}
