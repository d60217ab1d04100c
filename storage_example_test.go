package bearer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
)

// mapStorage is about the smallest Storage that keeps to the contract, as package
// storagetest finds. It is no good for a server: what has expired stays until it is
// replaced.
type mapStorage struct {
	mu     sync.Mutex // guards values
	values map[string]mapValue
}

type mapValue struct {
	bytes []byte
	end   time.Time // zero for never
}

func (s *mapStorage) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok || !v.end.IsZero() && !time.Now().Before(v.end) {
		return nil, bearer.ErrNotFound
	}
	return bytes.Clone(v.bytes), nil
}

func (s *mapStorage) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl < 0 {
		return errors.New("map storage: the ttl is negative")
	}
	v := mapValue{bytes: bytes.Clone(value)}
	if ttl > 0 {
		v.end = time.Now().Add(ttl)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]mapValue)
	}
	s.values[key] = v
	return nil
}

func (s *mapStorage) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

// A Storage of your own. The test of it is one call of storagetest.Run.
func ExampleStorage() {
	ctx := context.Background()
	var s bearer.Storage = new(mapStorage)

	s.Set(ctx, "cl_guest-my-client-market:all", []byte("a token"), time.Hour)
	value, err := s.Get(ctx, "cl_guest-my-client-market:all")
	fmt.Printf("%s, error %v\n", value, err)

	s.Delete(ctx, "cl_guest-my-client-market:all")
	_, err = s.Get(ctx, "cl_guest-my-client-market:all")
	fmt.Println("not found:", errors.Is(err, bearer.ErrNotFound))
	// Output:
	// a token, error <nil>
	// not found: true
}
