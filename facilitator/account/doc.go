// Package account keeps who sells, buys and administers: users with roles and
// statuses, their API keys, and the wallets that they sign in with.
package account
