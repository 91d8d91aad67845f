// Package account keeps who sells, buys and administers: users with roles and
// statuses, their API keys, and the wallets that they sign in with.
//
// A [Service] works on a [Store], without HTTP:
//
//	service, err := account.New(account.Config{Store: memory.New(), AdminTokens: map[string]string{"ada": token}})
//	...
//	made, err := service.Register(ctx, account.Registration{Role: account.RoleContentProvider, Username: "john"})
//	// made.Secret is the API key, v402_ and 32 letters and digits: it is shown this once.
//	john, err := service.AuthenticateKey(ctx, made.Secret)
//	_, err = service.SetStatus(ctx, ada, john.ID, account.StatusChange{Status: account.StatusSuspended, Reason: "Terms violation"})
//
// [Service.Handler] serves the same as JSON over HTTP, at the paths of
// openapi.yaml. Other domains ask [Service.Authenticate] who sends a request. An
// embedder with users of its own gives them a function of that form instead, which
// ends with [Admitted] and returns [ErrUnauthenticated] or [ErrInvalidCredentials].
//
// # Signing in
//
// Of an API key its SHA-256 is stored. A user has several, with names, and can
// exchange or revoke each; an admin can reset them all, and sees the new one: if
// their user becomes an admin afterwards, it ends with all that it was used for to
// make. A revoked key is dead at once, at every replica: nothing is cached, and a
// request costs one indexed read.
//
// A wallet signs each request: [SigningText] says over what. The time of the
// request may differ from ours by five minutes, and its nonce, which all replicas
// remember for longer than that, is used once. A contract wallet is asked on its
// chain (ERC-1271) if Config.Chains has it; Config.Limits bounds how often. It is
// the wallet of its chain only: on another its address may be somebody else's.
//
// Set Config.Host where wallets sign in. Then the text names the host; without it
// a signature for one facilitator could be used, within its time, at another: who
// is sent a signed request for a new API key could get one for themselves.
//
// Config.Limits counts in its process alone: of n replicas each grants that much.
// What must hold for all of them, such as that a nonce is used once, is in the store.
//
// A public key alone proves nothing, since it is public. Examples that send it as
// a bearer token work where Config.AllowUnsignedPublicKey is set: for trials.
//
// # What is true at any time
//
//   - Who is suspended or banned is refused everywhere, whatever they show.
//   - A status changes only as [Status.CanBecome] says, and never back from banned
//     or deleted. Nobody changes themselves, and only super admins change admins.
//   - A wallet belongs to one user, who has shown to have it unless
//     Config.AllowUnsignedPublicKey is set.
//   - E-mails and names are what users say. They are not unique, so that nobody
//     learns who is registered, or takes a name before its owner.
//   - Of who is deleted only ID, role, status and times are kept, and what is in the
//     audit log; the e-mail, the names and the wallet are erased, and the keys end.
//   - Every change is in the audit log, and that of a user is an event in the outbox
//     of the store; both are saved with the change.
package account
