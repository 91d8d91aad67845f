// Package catalog is the shop: providers publish products, clients find them,
// pay and read them.
package catalog
