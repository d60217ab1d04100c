package memstore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

func pass(d time.Duration) { <-time.After(d) }

func set(t *testing.T, s *memstore.Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, value, ttl); err != nil {
		t.Fatalf("Set: %v", err)
	}
}

func has(t *testing.T, s *memstore.Store, key string) bool {
	t.Helper()
	_, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, bearer.ErrNotFound) {
		t.Fatalf("Get: %v", err)
	}
	return err == nil
}

// record is a value as large as a customer's.
func record() []byte { return bytes.Repeat([]byte("r"), 2000) }
