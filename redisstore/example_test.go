package redisstore_test

import (
	"fmt"
	"time"

	"github.com/bearerkit/bearer/redisstore"
	"github.com/redis/rueidis"
)

// Open does not need Redis yet.
func ExampleOpen() {
	store, err := redisstore.Open("redis://:secret@localhost:6379", &redisstore.Options{Prefix: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store)
	// Output: redisstore.Store in Redis at localhost:6379 under shop:
}

// With a client of one's own, everything that rueidis can do is there: here,
// sentinels that want a password.
func ExampleNew() {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:      []string{"10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"},
		Password:         "secret",
		Sentinel:         rueidis.SentinelOption{MasterSet: "main", Password: "secret", TopologyRefreshInterval: 5 * time.Second},
		DisableRetry:     true,
		AlwaysPipelining: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	store, err := redisstore.New(client, &redisstore.Options{Prefix: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store)
}
