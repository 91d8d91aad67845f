//go:build !unix

package pgtest

import (
	"errors"
	"syscall"
)

type processAttributes = syscall.SysProcAttr

// unprivileged is for systems where the tests can start a server.
func unprivileged(string) (*processAttributes, error) {
	return nil, errors.New("set V402_TEST_POSTGRES: a server is started on Unix only")
}
