package fleet_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

// fleet is a shop's processes, the Commerce Layer that they call, and their Redis.
type fleet struct {
	t     *testing.T
	redis *redistest.Server
	auth  *process
	shops []*instance

	authEvents, shopEvents chan message
	config                 shopConfig
}

// instance is one of the shop's processes.
type instance struct {
	*process
	url string
}

// newFleet starts what shops need. None has been started yet.
func newFleet(t *testing.T, front front, config authConfig, redisArgs ...string) *fleet {
	t.Helper()
	f := &fleet{
		t: t, redis: redistest.Start(t, redisArgs...),
		authEvents: make(chan message, 1000), shopEvents: make(chan message, 1000), // nobody has to listen
	}
	var url <-chan message
	f.auth, url = launch(t, "auth", "the auth server", config, f.authEvents)
	f.config = shopConfig{Redis: f.redis.URL(), Auth: await[string](f.auth, "start", url), Front: front}
	return f
}

// start starts n shops, and returns them.
func (f *fleet) start(n int) []*instance {
	f.t.Helper()
	urls := make([]<-chan message, n)
	first := len(f.shops)
	for i := range n {
		s := &instance{}
		s.process, urls[i] = launch(f.t, "shop", fmt.Sprintf("shop-%d", len(f.shops)+1), f.config, f.shopEvents)
		f.shops = append(f.shops, s)
	}
	for i, s := range f.shops[first:] {
		s.url = await[string](s.process, "start", urls[i])
	}
	return f.shops[first:]
}

// heldUp returns the shop whose token request is held up at the auth server.
func (f *fleet) heldUp() *instance {
	f.t.Helper()
	return f.called(event(f.t, f.authEvents, "held up"))
}

// atTheGate returns the shop that is about to make a token request.
func (f *fleet) atTheGate() *instance {
	f.t.Helper()
	return f.called(event(f.t, f.shopEvents, "at the gate"))
}

// closeGates has each shop wait before its next token request.
func (f *fleet) closeGates() {
	f.t.Helper()
	for _, s := range f.shops {
		ask[any](s.process, "gate", none{})
	}
}

func (f *fleet) called(name string) *instance {
	f.t.Helper()
	for _, s := range f.shops {
		if s.name == name {
			return s
		}
	}
	f.t.Fatalf("there is no shop called %q", name)
	return nil
}

// visits are requests under way, one to each shop.
type visits struct {
	all   sync.WaitGroup
	each  []chan struct{} // closed when the visit is over
	shops []*instance
	got   []visit
}

// visit begins to visit all shops at once.
func (f *fleet) visit(path, cookie string) *visits {
	v := &visits{shops: f.shops, got: make([]visit, len(f.shops))}
	for i, s := range f.shops {
		over := make(chan struct{})
		v.each = append(v.each, over)
		v.all.Go(func() {
			v.got[i] = get(s.url+path, cookie)
			close(over)
		})
	}
	return v
}

// others waits for all of them but that to lost.
func (v *visits) others(lost *instance) {
	for i, s := range v.shops {
		if s != lost {
			<-v.each[i]
		}
	}
}

// wait waits for all of them. It returns the tally, with how long after since the last
// one was served. The one to lost is left out, if it is not nil.
func (v *visits) wait(since time.Time, want []string, lost *instance) (t tally) {
	v.all.Wait()
	for i, s := range v.shops {
		if s != lost {
			t.add(v.got[i], max(0, v.got[i].At.Sub(since)), want)
		}
	}
	return t
}

// to returns the visit to one shop.
func (v *visits) to(s *instance) visit {
	v.all.Wait()
	for i := range v.shops {
		if v.shops[i] == s {
			return v.got[i]
		}
	}
	return visit{Error: "nobody was there"}
}

// post does something at a shop, and returns the browser's cookie.
func (f *fleet) post(s *instance, path, cookie string, form url.Values) string {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v, cookie := send(req, cookie)
	if v.Error != "" {
		f.t.Fatalf("%s: %s: %s", s.name, path, v.Error)
	}
	return cookie
}

// login signs ada in at the first shop, and returns her cookie.
func (f *fleet) login() string {
	f.t.Helper()
	return f.post(f.shops[0], "/login", "", nil)
}

// loginFor signs ada in with a token that lives for so long, or a moment longer than
// until over. It waits until a second begins: tokens count in seconds.
func (f *fleet) loginFor(life time.Duration) (cookie string, over time.Time) {
	f.t.Helper()
	begin := time.Now().Truncate(time.Second).Add(time.Second)
	<-time.After(time.Until(begin))
	tok := ask[issued](f.auth, "issue", issueArgs{life})
	cookie = f.post(f.shops[0], "/adopt", "", url.Values{"access": {tok.AccessToken}, "refresh": {tok.RefreshToken}})
	return cookie, begin.Add(life)
}

// loginExpired signs ada in with a token that has expired when it returns. Her refresh
// token has not.
func (f *fleet) loginExpired() (cookie string) {
	f.t.Helper()
	const life = 4 * time.Second // time enough to sign in
	cookie, _ = f.loginFor(life)
	<-time.After(life)
	return cookie
}

// counts returns what the auth server has counted.
func (f *fleet) counts() commercelayertest.Counts {
	f.t.Helper()
	return ask[commercelayertest.Counts](f.auth, "counts", none{})
}

// requests returns the token requests so far.
func (f *fleet) requests() []tokenRequest {
	f.t.Helper()
	return ask[[]tokenRequest](f.auth, "requests", none{})
}

// guestsSince starts shops, has them use the guests' token, and returns when it was
// issued.
func (f *fleet) guestsSince(shops int) time.Time {
	f.t.Helper()
	f.start(shops)
	f.visit("/", "").all.Wait()
	requests := f.requests()
	if len(requests) != 1 {
		f.t.Fatalf("%d token requests, want 1", len(requests))
	}
	return requests[0].Answered
}

// do has the auth server do something.
func (f *fleet) do(command string, value any) {
	f.t.Helper()
	ask[any](f.auth, command, value)
}

// owner returns who has the lock, as Redis knows him; empty if nobody has. There must
// not be two locks.
func (f *fleet) owner() string {
	f.t.Helper()
	key := f.redis.Do("EVAL", "return table.concat(redis.call('KEYS', 'shop:bearer-lock:*'), ' ')", "0")
	if strings.Contains(key, " ") {
		f.t.Fatal("there are two locks, want one")
	}
	return f.redis.Do("GET", key)
}

// eventually waits until done.
func (f *fleet) eventually(what string, done func() bool) {
	f.t.Helper()
	for begin := time.Now(); !done(); <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			f.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// takenOver waits until somebody else has the lock. It returns a time before that.
func (f *fleet) takenOver(before string) (free time.Time) {
	f.t.Helper()
	f.eventually("somebody has taken the lock over", func() bool {
		asked := time.Now()
		if now := f.owner(); now != "" && now != before {
			return true
		}
		free = asked
		return false
	})
	return free
}

// load has all shops visited again and again.
func (f *fleet) load(l load) {
	f.t.Helper()
	for _, s := range f.shops {
		ask[any](s.process, "load", l)
	}
}

// unload ends that, and returns the tally.
func (f *fleet) unload() (t tally) {
	f.t.Helper()
	for _, s := range f.shops {
		t.and(ask[tally](s.process, "unload", none{}))
	}
	return t
}
