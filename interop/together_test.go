package interop_test

import (
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// js-auth takes no lock: if both refresh one customer at once, one of them comes too
// late. We then find what js-auth has got; js-auth throws, once.
func TestRefreshedByBothAtOnce(t *testing.T) {
	w := newWorldOf(t, commercelayertest.Options{ForgiveReuse: true})
	reused := commercelayertest.Counts{TokenRequests: 2, RefreshToken: 2, RefreshReused: 1}
	for _, late := range []string{"we", "js-auth"} {
		t.Run(late, func(t *testing.T) {
			w.t = t
			i := w.issue(channelID, market, ada, -time.Minute)
			w.redis.Do("SET", customerKey, record(i.AccessToken, market, i.RefreshToken))
			us := w.goCustomer()
			w.service.ResetCounts()
			// The first to ask is answered last.
			w.service.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Grant: "refresh_token", Times: 1, Delay: time.Second})
			begun := func() bool { return w.service.Counts().TokenRequests == 1 }
			done := make(chan error, 1)
			if late == "we" {
				go func() {
					_, err := us.Token()
					done <- err
				}()
				eventually(t, "we have asked", begun)
				a := w.has("shop", customer, "")
				if err := <-done; err != nil {
					t.Errorf("we: %v", err)
				}
				wantGoCustomer(t, us, a.AccessToken)
			} else {
				go func() {
					_, err := w.authorize("shop")
					done <- err
				}()
				eventually(t, "js-auth has asked", begun)
				now := token(t, us)
				if got := threw(t, <-done); got != "InvalidTokenError" {
					t.Errorf("js-auth threw %q, want InvalidTokenError", got)
				}
				w.has("shop", customer, now)
			}
			w.wantRequests(reused)
		})
	}
}

// With memory in front js-auth spends a refresh token that we have spent before, as
// soon as its copy is near its end; the service ends the customer's session for that.
func TestMemoryInFrontOfCustomers(t *testing.T) {
	w := newWorld(t)
	w.storage("layers", fields{"layers": []string{"before"}})
	w.channel("layered", "layers", market)
	us := w.goCustomer()
	if err := us.Login(t.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
		t.Fatal(err)
	}
	old := token(t, us)
	w.has("layered", customer, old)
	w.service.Revoke(old)
	get(t, us.Client(), w.service.APIURL()+"/api/customers") // which refreshes
	w.has("layered", customer, old)
	w.has("shop", customer, token(t, us))
	w.service.ResetCounts()
	w.js.do(t, "clock", fields{"minutes": 235}, nil)
	_, err := w.authorize("layered")
	if got := threw(t, err); got != "InvalidTokenError" {
		t.Errorf("js-auth threw %q, want InvalidTokenError", got)
	}
	if got := w.service.Counts(); got.RefreshReused != 1 || got.FamiliesEnded != 1 {
		t.Errorf("%d refresh tokens spent twice, %d sessions ended, want 1 and 1", got.RefreshReused, got.FamiliesEnded)
	}
}

// A guests' token in js-auth's memory is one of several that are good at once: that
// does no harm.
func TestMemoryInFrontOfGuests(t *testing.T) {
	w := newWorld(t)
	w.storage("layers", fields{"layers": []string{"before"}})
	w.channel("layered", "layers", market)
	c := w.goChannel(market)
	first := token(t, c)
	w.has("layered", "guest", first)
	w.redis.Do("SET", guestKey(market), record(w.issue(channelID, market, "", 4*time.Hour).AccessToken, market, ""))
	w.has("layered", "guest", first) // it does not look
	if got := token(t, c); got != first {
		t.Error("nor do we, while ours is good")
	}
	now := w.has("shop", "guest", "").AccessToken
	w.service.Revoke(first)
	if got := get(t, c.Client(), w.service.APIURL()+"/api/skus"); got != 200 {
		t.Errorf("the API answers %d", got)
	}
	if got := token(t, c); got != now {
		t.Error("ours is rejected, and we do not take the one that is there")
	}
	w.wantRequests(asked(1))
}
