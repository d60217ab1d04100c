package layered_test

import (
	"context"
	"fmt"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

// Memory before a storage that several processes share.
func ExampleNew() {
	redis := memstore.New(nil) // redisstore.Open(os.Getenv("REDIS_URL"), nil), say
	customers := layered.New(redis, nil)

	ctx := context.Background()
	if err := customers.Set(ctx, "cl_customer-shop", []byte("a record"), 14*24*time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	value, err := customers.Get(ctx, "cl_customer-shop") // from memory
	fmt.Println(string(value), err)

	// Who is about to act on what is there reads past all copies.
	value, err = customers.Get(bearer.Uncached(ctx), "cl_customer-shop")
	fmt.Println(string(value), err)
	// Output:
	// a record <nil>
	// a record <nil>
}
