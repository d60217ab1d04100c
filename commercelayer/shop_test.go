package commercelayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
)

func newSalesChannel(t *testing.T, o *commercelayer.Options) *commercelayer.SalesChannel {
	t.Helper()
	c, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shop is a shop's server under https://shop.example, in a bubble. What its
// handlers do, each visit says.
type shop struct {
	transport *http.Transport

	mu       sync.Mutex // guards what follows
	visits   map[string]http.HandlerFunc
	received int
}

// open puts the middleware round the handlers of a shop. A request's X-Peer
// becomes its RemoteAddr.
func open(t *testing.T, middleware func(http.Handler) http.Handler) *shop {
	t.Helper()
	s := &shop{visits: map[string]http.HandlerFunc{}}
	h := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		visit := s.visits[r.Header.Get("X-Visit")]
		s.mu.Unlock()
		visit(w, r)
	}))
	s.transport = pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer := r.Header.Get("X-Peer"); peer != "" {
			r.RemoteAddr = peer
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(synctest.Wait) // for refreshes in the background, while there is a server
	return s
}

// openChannel is open for one sales channel and the default options.
func openChannel(t *testing.T, c *commercelayer.SalesChannel) *shop {
	t.Helper()
	return open(t, c.Middleware(nil))
}

// shopper is one browser.
type shopper struct {
	shop   *shop
	jar    *cookiejar.Jar
	header http.Header // of each request
}

func (s *shop) shopper() *shopper {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return &shopper{s, jar, http.Header{}}
}

// visit runs h as the handler of one request from the browser.
func (b *shopper) visit(t *testing.T, h http.HandlerFunc) *http.Response {
	t.Helper()
	s := b.shop
	s.mu.Lock()
	s.received++
	name := strconv.Itoa(s.received)
	s.visits[name] = h
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://shop.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, b.header)
	req.Header.Set("X-Visit", name)
	resp, err := (&http.Client{Transport: s.transport, Jar: b.jar}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.mu.Lock()
	delete(s.visits, name)
	s.mu.Unlock()
	return resp
}

// do is visit for who needs nothing but the context.
func (b *shopper) do(t *testing.T, f func(ctx context.Context)) *http.Response {
	t.Helper()
	return b.visit(t, func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) })
}

// login signs Ada in.
func (b *shopper) login(t *testing.T, c *commercelayer.SalesChannel) {
	t.Helper()
	b.do(t, func(ctx context.Context) {
		if err := c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
			t.Errorf("Login: %v", err)
		}
	})
}

// is checks who the API thinks the shopper is, and what the session says.
func (b *shopper) is(t *testing.T, c *commercelayer.SalesChannel, want string, state bearer.State) {
	t.Helper()
	b.do(t, func(ctx context.Context) {
		if got := stateOf(ctx); got != state.String() {
			t.Errorf("State = %s, want %s", got, state)
		}
		if got := whoIs(ctx, c); got != want {
			t.Errorf("to the API the visitor is %s, want %s", got, want)
		}
	})
}

const guest = "a guest"

func stateOf(ctx context.Context) string {
	session, ok := bearer.FromContext(ctx)
	if !ok {
		return "no session"
	}
	state, err := session.State(ctx)
	if err != nil {
		return err.Error()
	}
	return state.String()
}

// whoIs asks the API who the visitor in ctx is: a customer's id, guest, or what
// went wrong.
func whoIs(ctx context.Context, c *commercelayer.SalesChannel) string {
	status, ids, err := ask(ctx, c.Client(), "customers")
	switch {
	case err != nil:
		return err.Error()
	case status == 200 && len(ids) == 1:
		return ids[0]
	case status == 401: // a guest may not see customers, whatever the token
		if status, _, err = ask(ctx, c.Client(), "skus"); err == nil && status == 200 {
			return guest
		}
	}
	return fmt.Sprintf("nobody: %d, %v", status, err)
}

// ask asks the API of commercelayertest for resources, and returns their ids.
func ask(ctx context.Context, client *http.Client, resources string) (status int, ids []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+commercelayertest.Slug+"."+commercelayertest.Domain+"/api/"+resources, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	var doc struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	if resp.StatusCode == 200 {
		if err := json.Unmarshal(body, &doc); err != nil {
			return 0, nil, err
		}
	}
	for _, d := range doc.Data {
		ids = append(ids, d.ID)
	}
	return resp.StatusCode, ids, nil
}
