// Package marketplace sells licences to wallets.
package marketplace
