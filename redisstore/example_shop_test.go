package redisstore_test

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/redisstore"
)

// A shop on several machines: whoever signs in on one is signed in on all, and one
// request brings the guests' token for all. Memory in front keeps those who were here
// before signed in while Redis is away.
func ExampleOpen_shop() {
	const id, scope = commercelayertest.SalesChannelID, commercelayertest.MarketScope
	os.Setenv("REDIS_URL", "redis://:secret@localhost:6379")
	defer os.Unsetenv("REDIS_URL")

	redis, err := redisstore.Open(os.Getenv("REDIS_URL"), &redisstore.Options{Prefix: "shop", DisableCache: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer redis.Close()
	// It keeps copies, so that those of redisstore are switched off.
	storage := layered.New(redis, &layered.Options{Logger: slog.Default()})

	shop, err := commercelayer.NewSalesChannel(id, scope, &commercelayer.Options{Storage: storage})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = shop.Middleware(nil) // round the handlers, on all machines
	fmt.Println(redis)
	// Output: redisstore.Store in Redis at localhost:6379 under shop:
}
