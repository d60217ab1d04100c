// Package bearer gives programs OAuth 2.0 bearer tokens that look after
// themselves, as clients of an API and as servers of visitors who have tokens of
// their own.
//
// For most uses, make a [Source] from a function that requests a token, and an
// http.Client from that:
//
//	cfg := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: url}
//	client := bearer.NewClient(bearer.NewSource(cfg.Token, nil), nil)
//
// The client adds the header, and hands itself to any API library that takes an
// http.Client. If you have an oauth2.TokenSource, give it to [NewClient] or
// [Transport] as it is.
//
// A server whose visitors are guests and customers of such an API makes a
// [Storefront], puts [Middleware] round its handlers, and calls the API with the
// context of the request: the client picks the right token.
//
//	shop := bearer.NewStorefront(guest, &bearer.StorefrontOptions{Customers: memstore.New(nil), Refresh: refresh, Revoke: revoke})
//	client := &http.Client{Transport: &bearer.Transport{Source: shop}}
//	http.ListenAndServe(addr, bearer.Middleware(shop, nil)(mux))
//
// For Commerce Layer, package [github.com/bearerkit/bearer/commercelayer] makes
// the source and the storefront; its commercelayertest is a Commerce Layer to test against. Package
// [github.com/bearerkit/bearer/tokenendpoint] is the client of token endpoints
// underneath, for other providers.
//
// # Expiry
//
// A token is fresh, aging or expired. A fresh one costs one atomic load. An aging
// one, in the last minutes of its life ([SourceOptions].RefreshAhead), is still
// handed out, while one request in the background gets the next; so callers never
// wait at a rollover. For an expired one callers wait. Where a server gives the
// running token back until shortly before its end, that is noticed, and it is
// asked again later. The wall clock decides, looked at once per second.
//
// # Concurrency
//
// However many callers need a token, there is one request. Nobody's context ends
// it: it has a time limit of its own. Each caller's context ends that caller's
// waiting and nothing else. Everything here is safe for concurrent use; there are
// no timers, no goroutines while nobody calls, and nothing to close.
//
// # Several processes
//
// [SourceOptions].Storage is for processes that use the same token, and
// [StorefrontOptions] has one for guests and one for customers: a token is read there
// before it is requested, and written there before anybody has it. If the storage
// is a [Locker], such as a Redis, all processes together make one request. One that
// dies with a request under way holds the others up for 3 seconds, or for 6 if it was
// about to spend a refresh token: whoever comes next gives its answer time to arrive.
// While the storage fails each process goes on by itself. docs/fleet.md, in the
// repository, is about all that can go wrong.
//
// # Failure
//
// While the token in hand is good, a token endpoint that fails goes unnoticed.
// Otherwise all who wait get one [TokenError], and for a pause that grows with
// each failure all who come get it at once. When an API rejects a token, because
// it was revoked, say, [Transport] evicts it and sends the request again with a
// new one, once. An API that rejects every token cannot drive token requests: see
// [Source.Evict].
//
// # Where a token goes
//
// [Transport] sends it to the origin of the caller's request and not to where the
// server redirects; [Transport].Origins narrows that further. No error, event, log
// line or String of this package holds a token or a secret. A [Token] itself is
// oauth2's and prints what it holds: do not log one.
//
// # Sessions
//
// All guests of a [Storefront] share one token. A customer's tokens are kept in a
// [Storage] under a digest of the browser's session id, a random one in a
// __Host- cookie, and never leave the server; [Carrier] and the other
// [MiddlewareOptions] are for those who need it otherwise. Nothing is read before a
// handler needs a token, and a guest gets no cookie.
//
// [Session] tells what a visitor is, signs customers in and out, and may be
// carried beyond the request: see [NewContext]. A customer's token is refreshed
// once for all of the customer's requests. While that fails for a passing reason
// the customer's calls fail; they never go on as a guest's. When it has failed for
// good the session ends, once, and says so: see [ErrCustomerExpired] and
// [Session.State].
//
// What the sessions do not do: they are no defence against forged requests of
// other sites by themselves. Cookies are SameSite=Lax; put
// [net/http.CrossOriginProtection] round forms.
//
// # Tokens that requests bring
//
// With a [Verifier], such as that of package [github.com/bearerkit/bearer/verify], a
// request may bring a bearer token of its own, which then decides alone whom the session
// is for: no cookie is looked at. [RequireBearer], [RequireCustomer] and [Require] say what
// routes want. A backend that only receives tokens has a storefront without guests,
// NewStorefront(nil, nil).
//
// # Compatibility
//
// [Token] and [TokenSource] are aliases of those of golang.org/x/oauth2. A
// [Source] is a TokenSource; [Transport], [NewClient] and [ReuseTokenSource] take
// the places of their namesakes there, and differ in that other origins get no
// token, an empty token is an error, and a 401 about the token is replayed.
package bearer
