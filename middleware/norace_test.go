//go:build !race

package middleware_test

const pools = true
