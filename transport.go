package bearer

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Transport is an [http.RoundTripper] that adds a bearer token to requests (RFC
// 6750 §2.1) and takes the place of oauth2.Transport: set Source, and Base if
// it is not to be http.DefaultTransport. A nil Source is an error of each request.
// It is safe for concurrent use; its fields must not be changed once it is in use.
//
// When a server rejects the token (see [TokenRejected]), the token is evicted from
// a Source that is an [Evicter], and the request is sent once more with another
// token, if there is one and the request's body can be had again: it has none,
// or GetBody. Otherwise the caller gets the server's answer, whole.
//
// The token goes to the origin (scheme, host and port) of the request that the
// caller made, not to where the server redirects: from the first redirect to
// another origin on, requests carry none.
type Transport struct {
	// Source supplies the token. If it is a [ContextTokenSource], waiting for the
	// token ends with the context of the request. An error of Source, or an empty
	// token, is returned as the error of the request, which is not sent.
	Source TokenSource

	// Base sends the requests. If nil, http.DefaultTransport.
	Base http.RoundTripper

	// Origins, if not empty, are the only ones that get the token, such as
	// "https://api.example.com". "https://*.example.com" stands for all hosts
	// below example.com. Requests to others carry none. An entry that is not an
	// origin is an error of each request that no other entry allows.
	Origins []string

	// Rejected reports whether an answer with status 4xx says that the token is
	// no good. If nil, [TokenRejected]. It may read the answer's body: it gets at
	// most 64 KiB, or what arrives within a second, and the caller of the request
	// all the same gets it whole. It must not keep the answer.
	Rejected func(*http.Response) bool

	// RequireTLS makes it an error to send the token over anything but https.
	RequireTLS bool

	// KeepAuthorization leaves a request that has an Authorization header already
	// as it is. Without it the header is replaced, or removed where the token may
	// not go: it could be that of somebody whose request is being served.
	KeepAuthorization bool

	Logger   *slog.Logger // nil logs nothing
	Observer Observer     // nil observes nothing

	last atomic.Pointer[credentials]
}

// NewClient returns a client whose requests carry tokens from src, sent by base,
// which may be nil for http.DefaultTransport. As oauth2.NewClient does, it keeps
// a token until it expires, unless src looks after that itself: see
// [ReuseTokenSource]. With a nil src each request is an error.
func NewClient(src TokenSource, base http.RoundTripper) *http.Client {
	if src != nil {
		src = ReuseTokenSource(nil, src)
	}
	return &http.Client{Transport: &Transport{Source: src, Base: base}}
}

var (
	errNoSource   = &safeError{"Transport's Source is nil", nil}
	errNoURL      = &safeError{"the request has no URL", nil}
	errBadOrigins = &safeError{`Transport's Origins has an entry that is not an origin: want "https://host"`, nil}
	errNoTLS      = &safeError{"the token is not sent over plain http, since Transport's RequireTLS is set", nil}
	errBadHeader  = &safeError{"the token, or its type, has characters that no header may have", nil}
	errNoToken    = &safeError{"Transport's Source returned an empty token", nil}
)

// RoundTrip implements [http.RoundTripper]. It does not modify req.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.KeepAuthorization && req.Header["Authorization"] != nil {
		return t.base().RoundTrip(req)
	}
	if req.URL == nil {
		return nil, refuse(req, errNoURL)
	}
	if req.Response != nil || len(t.Origins) > 0 {
		why, err := t.withhold(req)
		if err != nil {
			return nil, refuse(req, err)
		}
		if why != "" {
			observe(t.Logger, t.Observer)(req.Context(), TokenWithheld{Host: req.URL.Host, Why: why})
			return t.send(req, req.Body, nil)
		}
	}
	token, c, err := t.credentials(req)
	if err != nil {
		return nil, refuse(req, err)
	}
	resp, err := t.send(req, req.Body, c.header)
	if err != nil || resp == nil || resp.StatusCode/100 != 4 {
		return resp, err
	}
	return t.answered(req, resp, token)
}

// refuse ends a request that is not sent.
func refuse(req *http.Request, err error) error {
	if req.Body != nil {
		req.Body.Close()
	}
	return err
}

// CloseIdleConnections closes those of Base, for http.Client's method of that
// name.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// answered deals with a 4xx.
func (t *Transport) answered(req *http.Request, resp *http.Response, token *Token) (*http.Response, error) {
	if !t.rejects(resp) {
		return resp, nil
	}
	ctx := req.Context()
	told := observe(t.Logger, t.Observer)
	giveUp := func(why string, err error) (*http.Response, error) {
		told(ctx, RequestNotReplayed{Method: req.Method, Host: req.URL.Host, Why: why, Err: err})
		return resp, nil
	}
	if e, ok := t.Source.(Evicter); ok {
		if err := e.Evict(ctx, token); err != nil {
			return giveUp("the token could not be evicted", err)
		}
	}
	hasBody := req.Body != nil && req.Body != http.NoBody
	if hasBody && req.GetBody == nil {
		return giveUp("its body cannot be had again: it has no GetBody", nil)
	}
	// The token request may need the connection that the answer is on.
	if p, ok := resp.Body.(*peekedBody); ok && p.done == nil {
		p.peek(drainTime)
	}
	again, c, err := t.credentials(req)
	if err != nil {
		return giveUp("there is no other token", err)
	}
	if again.AccessToken == token.AccessToken {
		return giveUp("there is no other token yet", nil)
	}
	// Whoever the source speaks for may have changed while it got the new token. It
	// evicts nothing more, but tells.
	if e, ok := t.Source.(Evicter); ok {
		if err := e.Evict(ctx, token); err != nil {
			return giveUp("the other token may be somebody else's", err)
		}
	}
	body := req.Body
	if hasBody {
		if body, err = req.GetBody(); err != nil {
			return giveUp("its body cannot be had again: GetBody failed", err)
		}
	}
	if resp.Body != nil {
		resp.Body.Close()
	}
	second, err := t.send(req, body, c.header)
	replayed := RequestReplayed{Method: req.Method, Host: req.URL.Host}
	if second != nil {
		replayed.Status = second.StatusCode
	}
	told(ctx, replayed)
	return second, err
}

// rejects reports whether resp says that the token is no good, and leaves resp
// as the caller would have got it.
func (t *Transport) rejects(resp *http.Response) bool {
	rejected := t.Rejected
	if rejected == nil {
		if resp.StatusCode != http.StatusUnauthorized {
			return false
		}
		rejected = TokenRejected
	}
	shown := *resp
	var p *peekedBody
	if resp.Body != nil && resp.Body != http.NoBody {
		p = &peekedBody{body: resp.Body}
		resp.Body, shown.Body = p, &peek{p: p, limit: peekTime}
	}
	return rejected(&shown)
}

const (
	peekTime  = time.Second
	drainTime = 100 * time.Millisecond
)

// send sends a copy of req, with body, and authorization instead of what it has.
func (t *Transport) send(req *http.Request, body io.ReadCloser, authorization []string) (*http.Response, error) {
	out := new(http.Request)
	*out = *req
	out.Body = body
	out.Header = cloneHeader(req.Header)
	if authorization != nil {
		out.Header["Authorization"] = authorization
	} else {
		delete(out.Header, "Authorization")
	}
	resp, err := t.base().RoundTrip(out)
	if resp != nil {
		resp.Request = req // the caller's, as without us; and nobody sees the token in it
	}
	return resp, err
}

// cloneHeader returns a copy with room for one more; the values are shared, as
// nobody may change those of a request that is being sent. (For few fields a
// clone of the map is quicker than filling another one, for many it is not.)
func cloneHeader(h http.Header) http.Header {
	if n := len(h); n == 0 || n >= 8 {
		c := make(http.Header, n+1)
		maps.Copy(c, h)
		return c
	}
	return maps.Clone(h)
}

// credentials are a token as it goes into the header, made once per token.
type credentials struct {
	accessToken, tokenType string
	header                 []string
}

// credentials returns the token for req.
func (t *Transport) credentials(req *http.Request) (*Token, *credentials, error) {
	if t.Source == nil {
		return nil, nil, errNoSource
	}
	if t.RequireTLS && req.URL.Scheme != "https" {
		return nil, nil, errNoTLS
	}
	var token *Token
	var err error
	if src, ok := t.Source.(*Source); ok { // the next one does too, but has to look it up
		token, err = src.TokenContext(req.Context())
	} else if src, ok := t.Source.(ContextTokenSource); ok {
		token, err = src.TokenContext(req.Context())
	} else {
		token, err = t.Source.Token()
	}
	if err != nil {
		return nil, nil, err
	}
	if token == nil || token.AccessToken == "" {
		return nil, nil, errNoToken
	}
	if c := t.last.Load(); c != nil && c.accessToken == token.AccessToken && c.tokenType == token.TokenType {
		return token, c, nil
	}
	value := token.Type() + " " + token.AccessToken
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return nil, nil, errBadHeader
	}
	c := &credentials{token.AccessToken, token.TokenType, []string{value}}
	t.last.Store(c)
	return token, c, nil
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}
