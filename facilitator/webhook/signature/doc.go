// Package signature signs and verifies webhooks. It needs nothing but the
// standard library: receivers import it without the rest.
//
//	verifier, err := signature.NewVerifier(os.Getenv("WEBHOOK_SECRET"))
//	...
//	http.HandleFunc("POST /webhooks/v402", func(w http.ResponseWriter, r *http.Request) {
//		event, err := verifier.Event(r)
//		if err != nil {
//			http.Error(w, err.Error(), http.StatusUnauthorized)
//			return
//		}
//		if !seen(event.ID) {
//			handle(event)
//		}
//		w.WriteHeader(http.StatusNoContent)
//	})
//
// A request carries two signatures by the same secret. [Header] is HMAC-SHA256
// over the body in hexadecimal, with the secret's text as the key, as it was
// shown. The headers of Standard Webhooks (standardwebhooks.com) sign the event's
// ID, the time and the body, with the bytes that "whsec_" is followed by, in
// base64, as the key; a secret without that prefix is the key itself. Any library
// for Standard Webhooks verifies them.
//
// # What a receiver must know
//
//   - Answer 2xx within seconds, and work afterwards: what is not answered in
//     time is sent again.
//   - An event comes at least once. Remember the IDs that were handled, at least
//     for the time in which they may be sent again, and handle each once. That
//     stops a stranger too who sends again what he overheard; after the
//     tolerance of the time stamp he is refused anyway.
//   - Events come in any order. Compare created_at, or ask for the present state.
//   - While a secret is rotated each request carries the Standard Webhooks
//     signature of both. [Header] has room for one: attempts take turns, the
//     newest secret first, so that a receiver with either one gets each event.
package signature
