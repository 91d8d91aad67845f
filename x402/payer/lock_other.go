//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package payer

import (
	"errors"
	"os"
)

// lockFile refuses: without a lock two processes could spend one budget twice.
func lockFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func syncDir(string) error { return nil }
