package commercelayertest_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestMemoryKnowsHTTPS(t *testing.T) {
	k := newKit(t, nil)
	for _, scheme := range []string{"https", "http"} {
		a := k.postJSON(scheme+"://auth.commercelayer.io/oauth/token", guest)
		equal(t, "issuer", claimsOf(t, a.token(t).Access)["iss"], `"`+scheme+`://auth.commercelayer.io"`)
	}
}

// After Close nothing is left running, or the bubble would not end: not even
// with a request under way.
func TestCloseEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{Handler: slog.DiscardHandler}
		server := clt.NewServer(&clt.Options{Log: slog.New(log)})
		k := &kit{t, server, server.Client()}
		k.token(guest)
		server.Inject(clt.Fault{Delay: 1 << 60})
		failed := make(chan error)
		go func() {
			_, err := k.client.Do(tokenRequest(k, guest))
			failed <- err
		}()
		synctest.Wait()
		server.Close()
		equal(t, "requests that have ended when Close returns", log.lines.Load(), 2)
		if err := <-failed; err == nil {
			t.Error("the request under way succeeded")
		}
		server.Close()
		if _, err := k.client.Do(tokenRequest(k, guest)); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("after Close: got %v", err)
		}
	})
}

// A request to the API, whose body nobody has read yet, and one whose body is
// not read to its end, do not keep Close waiting for a fault's delay either.
func TestCloseEndsDelays(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
	}{{"order", 0}, {"larger than what is read", 1 << 20}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, k *kit) {
				token := k.token(guest).Access
				k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Delay: time.Hour})
				left := make(chan error)
				go func() {
					_, err := k.client.Do(orderRequest(k, token, tt.size))
					left <- err
				}()
				synctest.Wait()
				start := time.Now()
				k.server.Close()
				equal(t, "time that Close takes", time.Since(start), 0)
				if err := <-left; err == nil {
					t.Error("the request under way succeeded")
				}
			})
		})
	}
}

// slowLog takes a second for each line.
type slowLog struct {
	slog.Handler
	lines atomic.Int32
}

func (l *slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *slowLog) Handle(context.Context, slog.Record) error {
	pass(time.Second)
	l.lines.Add(1)
	return nil
}

// By IP address the first segment of the path stands for the host.
func TestOverARealListener(t *testing.T) {
	server := clt.NewServer(nil)
	plain := httptest.NewServer(server)
	defer plain.Close()
	ca, err := server.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(server)
	secure.TLS = ca.TLSConfig()
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()

	client := secure.Client()
	for _, listener := range []*httptest.Server{plain, secure} {
		k := &kit{t, server, client}
		token := k.postJSON(listener.URL+"/auth/oauth/token", guest).token(t)
		equal(t, "issuer", claimsOf(t, token.Access)["iss"], `"`+listener.URL+`/auth"`)
		a := k.do(k.request("GET", listener.URL+"/local-shop/api/skus?page[size]=1", "", "Authorization", "Bearer "+token.Access))
		if !strings.Contains(string(a.body), `"`+listener.URL+`/local-shop/api/skus/`) {
			t.Errorf("no link by the address that was used: %s", a.body)
		}
		equal(t, "keys", k.do(k.request("GET", listener.URL+"/auth/.well-known/jwks.json", "")).status, 200)
		equal(t, "no prefix", k.do(k.request("GET", listener.URL+"/oauth/token", "")).status, 404)
		equal(t, "no control interface", k.do(k.request("GET", listener.URL+"/_local/health", "")).status, 404)

		// A broken connection is one over HTTP/2 as well.
		server.Inject(clt.Fault{Drop: clt.DropAfter, Times: 1})
		if _, err := client.Do(k.request("POST", listener.URL+"/auth/oauth/token", "{}", "Content-Type", "application/json")); err == nil {
			t.Error("the connection did not break")
		}
	}
}
