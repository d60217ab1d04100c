package bearer_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
)

func TestSourceReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		cached := oauth2.ReuseTokenSource(nil, bearer.NewSource(e.fetch, nil))
		src, ok := bearer.ReuseTokenSource(nil, cached).(bearer.ContextTokenSource)
		if !ok {
			t.Fatal("ReuseTokenSource returned no ContextTokenSource")
		}
		if again := bearer.ReuseTokenSource(nil, src); again != bearer.TokenSource(src) {
			t.Error("ReuseTokenSource wrapped a source that looks after itself")
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantAccess(t, src, "token-1") })
		}
		wg.Wait()
		e.wantCount(t, 1)
		pass(time.Hour)
		wantAccess(t, src, "token-2")
	})
}

func TestReuseTokenSourceStartsWithTheToken(t *testing.T) {
	own := bearer.NewSource((&endpoint{}).fetch, nil)
	for name, src := range map[string]bearer.TokenSource{"ours": own, "theirs": static("other")} {
		got, err := bearer.ReuseTokenSource(&bearer.Token{AccessToken: "saved"}, src).Token()
		if err != nil || got.AccessToken != "saved" {
			t.Errorf("%s: got %v, %v; want the saved token", name, got, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("ReuseTokenSource(nil, nil) did not panic")
		}
	}()
	bearer.ReuseTokenSource(nil, nil)
}
