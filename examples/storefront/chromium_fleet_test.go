package main

import (
	"strings"
	"testing"

	"github.com/bearerkit/bearer/redisstore/redistest"
)

// Two instances behind one address: the panel shows that they take turns, and the
// shopper notices nothing of it.
func TestChromiumFleet(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := openStandWith(t, func(s *stand, service *service) (opened, error) {
		f, err := newFleet(t.Context(), service, redis.URL(), false)
		if err == nil {
			t.Cleanup(f.close)
			for _, shop := range f.instances {
				s.listen(shop)
			}
		}
		return f, err
	})
	b := s.profile()
	seen := map[string]int{}
	look := func(who string) {
		t.Helper()
		b.want(200, "").wantWho(who)
		seen[who+" at "+b.field("instance")]++
	}
	b.visit("/eu/")
	look("guest")
	b.reload()
	look("guest")
	b.click("add-CAP").want(200, "added").wantWho("guest")
	b.signIn(ada, adasPassword).want(200, "cart-kept").wantWho("customer")
	for range 3 {
		b.reload()
		look("customer")
	}
	if seen["guest at instance A"] != 1 || seen["guest at instance B"] != 1 || seen["customer at instance A"] == 0 || seen["customer at instance B"] == 0 {
		t.Errorf("the pages were made for a %v, want both instances to take turns", seen)
	}
	if got := b.text("hood-storage"); !strings.Contains(got, "A and B") {
		t.Errorf("of the storage the panel says %q", got)
	}
	// The stream of this page brings what the other instance does for the second tab,
	// and the box shows which one that was.
	b.watch()
	second := b.another().visit("/eu/account").want(200, "").wantWho("customer")
	other := second.field("instance")
	b.live("GET /eu/account Europe, " + strings.TrimPrefix(other, "instance "))
	b.until(`document.querySelector('[data-field="instance"]').innerText === "` + other + `"`)
	b.do("turn into a phone", phone)
	b.checkWidth("the fleet's page on a phone", 360)
	b.do("turn back", desktop)
	b.picture("fleet")

	redis.Kill()
	for range 4 {
		b.reload().want(200, "").wantWho("customer")
	}
	b.until(`performance.now() > 1200`) // by then a copy is to be looked at again
	b.reload().want(200, "").wantWho("customer").watch()
	second.reload().want(200, "").wantWho("customer")
	b.live("The storage cannot be reached, memory serves on")
	if got := b.field("from"); !strings.HasPrefix(got, "memory") {
		t.Errorf("without Redis the token is from %q", got)
	}
	b.picture("fleet-without-redis")
	redis.Restart()

	second.click("sign-out")
	b.until(`document.getElementById("hood-log").innerText.includes("Signed out, tokens revoked")`)
	b.reload().wantWho("guest")
	b.reload().wantWho("guest")
}
