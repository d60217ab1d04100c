package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
)

// visit is one request for a page, or with a form.
type visit struct {
	*shop
	w       http.ResponseWriter
	r       *http.Request
	market  *market
	session *bearer.Session
	state   bearer.State
	notice  *notice

	cart *cart // looked up once; nil: not yet
}

// handle makes a handler of one that may fail, in which case it has written
// nothing.
func (s *shop) handle(m *market, h func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{shop: s, w: w, r: r, market: m}
		err := v.resolve()
		if err == nil && v.state == bearer.StateExpired {
			v.notice = notices["expired"]
			// A form is left undone, since it was to change what is the customer's.
			if r.Method == http.MethodPost && r.URL.Path != m.Path+"/sign-in" {
				v.goTo(v.back(), "expired")
				return
			}
		}
		if err == nil {
			err = h(v)
		}
		switch {
		case err == nil:
		case v.expiredMeanwhile():
			// A page is asked for again, by a guest now. A form is not.
			v.goTo(v.back(), "expired")
		default:
			v.fail(err)
		}
	})
}

// customer reports whether the visitor is signed in.
func (v *visit) customer() bool { return v.state == bearer.StateCustomer }

// back is the page that the visitor is on: this one, or the one with the form.
func (v *visit) back() string {
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		return v.r.URL.RequestURI()
	}
	return v.ownPage(v.r.PostFormValue("back"), v.market.Path+"/")
}

// goTo sends the visitor to another page, which tells the notice if there is one.
func (v *visit) goTo(page, notice string) {
	if notice != "" {
		v.cookies.set(v.w, "notice", notice, time.Minute)
	}
	http.Redirect(v.w, v.r, page, http.StatusSeeOther)
}

// rest is the address of this page within the market, to find it in another one.
func (v *visit) rest() string {
	if v.r.Method != http.MethodGet {
		return "/"
	}
	switch rest := strings.TrimPrefix(v.r.URL.Path, v.market.Path); rest {
	case "/cart", "/sign-in", "/account":
		return rest
	}
	return "/"
}

// notice is something to tell at the top of a page.
type notice struct {
	Code string
	Text string
	Bad  bool
}

// notices by the code that a cookie carries to the next page.
var notices = index(
	notice{Code: "added", Text: "It is in your cart."},
	notice{Code: "changed", Text: "Your cart has been changed."},
	notice{Code: "gone", Text: "That was not in your cart any more.", Bad: true},
	notice{Code: "signed-in", Text: "You are signed in."},
	notice{Code: "cart-kept", Text: "You are signed in, and your cart has come with you."},
	notice{Code: "cart-left", Text: "You are signed in, but your cart could not come with you: you will find it when you are signed out.", Bad: true},
	notice{Code: "one-market", Text: "You are signed in here, but it did not work in the other market: sign in there too.", Bad: true},
	notice{Code: "signed-out", Text: "You are signed out."},
	notice{Code: "signed-out-here", Text: "You are signed out here, but not all that kept you signed in could be removed: tokens may be good until they expire.", Bad: true},
	notice{Code: "sign-in-first", Text: "Sign in to see this page."},
	notice{Code: "expired", Text: "Your session has expired, and you are a guest again. Sign in to go on where you were.", Bad: true},

	notice{Code: "guest-revoked", Text: "The guests’ token is revoked. The next call is refused, a new token is requested, and the call is sent again."},
	notice{Code: "customer-revoked", Text: "Your token is revoked. The next call is refused, your refresh token is spent for a new one, and the call is sent again."},
	notice{Code: "customer-ended", Text: "Your tokens are revoked, the refresh tokens too. The next call as you ends your session."},
	notice{Code: "all-expired", Text: "All access tokens have expired. Each is replaced when it is used next."},
	notice{Code: "failing", Text: "The token endpoint answers 503 from now on. Tokens that are good serve on; revoke one to see what the shop does without."},
	notice{Code: "working", Text: "The token endpoint works again."},
	notice{Code: "no-customer", Text: "You are a guest: there is no token of yours to revoke.", Bad: true},
)

func index(list ...notice) map[string]*notice {
	m := map[string]*notice{}
	for i := range list {
		m[list[i].Code] = &list[i]
	}
	return m
}
