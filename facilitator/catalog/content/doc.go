// Package content proves, where content is kept, that somebody has paid for it.
// It is what a provider of a v402 catalog needs at its own server, and it is
// small: the standard library and one module for JSON Web Tokens.
//
//	http.HandleFunc("GET /premium/", func(w http.ResponseWriter, r *http.Request) {
//		ticket, err := content.Verify(key, product, r)
//		if err != nil {
//			http.Error(w, "payment required", http.StatusPaymentRequired)
//			return
//		}
//		log.Printf("grant %s reads %s", ticket.Grant, r.URL.Path)
//		...
//	})
//
// The key is the provider's own, as the catalog shows it to the provider; the
// product is the ID of what is kept there.
//
// # Two proofs
//
// A buyer gets both with each access, made with one key:
//
//   - A signed URL: the content_url of the product with a last query parameter
//     "token", good for that URL alone and for minutes:
//     v1.EXPIRES.GRANT.PRODUCT.SIGNATURE. EXPIRES is in unix seconds, and
//     SIGNATURE is the unpadded base64url of
//
//     HMAC-SHA256(key, "v402-content-v1\n" HOST "\n" URI "\n" EXPIRES "\n" GRANT "\n" PRODUCT)
//
//     where HOST is in lower case, with its port if the URL has one, and URI is the
//     escaped path with "?" and the query, if there is one besides the token. The
//     key is used as the ASCII text that it is.
//
//   - An access token: a JSON Web Token by HS256 with iss "v402", sub the grant,
//     aud the product, iat, exp, and payer. It lasts as long as the grant. One with
//     "counted": true is of a grant for so many accesses, which only the catalog
//     can count: it is exchanged there for a signed URL, and [Verify] refuses it.
//
// A signed URL says that the grant was good when the URL was made, and so does a
// token: who must know of a grant that was revoked since asks the catalog.
package content
