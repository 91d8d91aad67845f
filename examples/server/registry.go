package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/v402/v402/registry"
)

// keySize is that of the keys that encrypt, in bytes.
const keySize = 32

// parseKey reads the key in a variable, in hex; nil for none.
func parseKey(variable, s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(s)
	if err != nil || len(key) != keySize {
		return nil, errors.New(variable + " is not 32 bytes in hexadecimal; make one with: openssl rand -hex 32")
	}
	return key, nil
}

// registryRoom is the registry of platforms, contracts and royalties.
type registryRoom struct {
	handler http.Handler // of everything under /api/
}

// openRegistry returns nil if there is no key to encrypt with. In dev mode it
// has one that everybody knows, as all keys are there.
func openRegistry(c config, dev bool, store registry.Store, log *slog.Logger) (*registryRoom, error) {
	key := c.registryKey
	switch {
	case key == nil && dev:
		key = bytes.Repeat([]byte("dev!"), keySize/4)
	case key == nil:
		return nil, nil
	}
	var room registryRoom
	service, err := registry.New(registry.Config{
		Store: store, EncryptionKey: key, Admin: registry.BearerToken("token", c.adminToken), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	room.handler = service.Handler()
	return &room, nil
}

// welcome says where the registry is.
func (room *registryRoom) welcome(out io.Writer, url string) {
	if room == nil {
		return
	}
	fmt.Fprintf(out, "  registry of contracts and royalties on %s/api/registry/openapi.yaml\n", url)
}
