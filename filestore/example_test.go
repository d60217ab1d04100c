package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

// A command-line tool keeps its token from one call to the next.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example") // os.UserCacheDir() in a real tool
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := filestore.New(filepath.Join(dir, "my-tool"))
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	if _, err := store.Get(ctx, "token"); errors.Is(err, bearer.ErrNotFound) {
		fmt.Println("sign in first")
	}
	if err := store.Set(ctx, "token", []byte("a token"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	value, err := store.Get(ctx, "token")
	fmt.Println(string(value), err)
	// Output:
	// sign in first
	// a token <nil>
}
