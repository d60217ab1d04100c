package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// Of two that saw the same value one gets to replace it.
func ExampleStore_CompareAndSwap() {
	ctx := context.Background()
	s := memstore.New(nil)
	s.Set(ctx, "record", []byte("token 1"), time.Hour)

	for _, next := range []string{"token 2", "token 3"} {
		swapped, err := s.CompareAndSwap(ctx, "record", []byte("token 1"), []byte(next), time.Hour)
		fmt.Println(next, swapped, err)
	}
	value, _ := s.Get(ctx, "record")
	fmt.Printf("%s\n", value)
	// Output:
	// token 2 true <nil>
	// token 3 false <nil>
	// token 2
}

// A store for about 1,000 customers, whose records take 2 kB or so each.
func ExampleNew() {
	ctx := context.Background()
	s := memstore.New(&memstore.Options{MaxBytes: 2 << 20})

	s.Set(ctx, "a customer", make([]byte, 1700), 14*24*time.Hour)
	_, err := s.Get(ctx, "another customer")
	fmt.Println(errors.Is(err, bearer.ErrNotFound))
	fmt.Println(s)
	// Output:
	// true
	// memstore.Store with 1 values in 1966 of 2097152 bytes
}
