package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/bearerkit/bearer"
)

// notAuthorized is a sentinel whose text may be logged.
type notAuthorized struct {
	text string
	is   error
}

func (e *notAuthorized) Error() string        { return "commercelayer: " + e.text }
func (e *notAuthorized) Unwrap() error        { return e.is }
func (e *notAuthorized) LogValue() slog.Value { return slog.StringValue(e.text) }

var (
	// ErrNotAuthorized says that a [Webapp] has no token, and nothing to get one
	// with.
	ErrNotAuthorized error = &notAuthorized{"no user has authorized the webapp: send one to AuthCodeURL", nil}

	// ErrAuthorizationEnded says that the refresh token has come to its end: it was
	// refused, or there is none. It is an [ErrNotAuthorized], told once, to those
	// who were waiting; after it the Webapp is as it was before it was authorized.
	ErrAuthorizationEnded error = &notAuthorized{"the webapp's authorization has ended: send a user to AuthCodeURL again", ErrNotAuthorized}
)

// Webapp is an application that a user of the dashboard has authorized. It keeps
// that user's token, through its refresh token: save both with Options.OnChange
// and start again from Options.Initial. Make one with [NewWebapp]; it is safe for
// concurrent use, needs no closing, and is safe to print.
//
// A refresh token is spent when it is used. If several processes hold the same
// one, the first to refresh ends the authorization of the others; unless they share
// Options.Storage, with which one of them refreshes for all, and Options.Initial and
// OnChange are not needed.
type Webapp struct {
	credentials *Credentials
	transport   *bearer.Transport
	current     atomic.Pointer[authorization] // nil: not authorized
	saving      chan struct{}                 // holds a value while OnChange runs
}

var (
	_ bearer.ContextTokenSource = (*Webapp)(nil)
	_ bearer.Evicter            = (*Webapp)(nil)
)

// NewWebapp returns the webapp with this client id and secret. It sends nothing.
// Unless there is an Options.Initial, it has to be authorized first: see
// [Webapp.AuthCodeURL] and [Webapp.Exchange].
func NewWebapp(id, secret string, opts *Options) (*Webapp, error) {
	if id == "" || secret == "" {
		return nil, errors.New("commercelayer: a webapp needs its client id and client secret: pass those of the API credentials")
	}
	c, err := NewCredentials(id, secret, opts)
	if err != nil {
		return nil, err
	}
	w := &Webapp{credentials: c, saving: make(chan struct{}, 1)}
	w.transport = c.transport(w)
	o, err := w.sourceOptions()
	if err != nil {
		return nil, err
	}
	if t := o.Initial; t == nil || t.AccessToken == "" && t.RefreshToken == "" {
		w.current.Store(w.unauthorized())
	} else {
		w.current.Store(w.authorization(o))
	}
	return w, nil
}

func (w *Webapp) sourceOptions() (*bearer.SourceOptions, error) {
	o := w.credentials.sourceOptions("webapp")
	return o, w.credentials.keep(o, "cl_webapp-")
}

// unauthorized is the authorization to begin with when there is none here: whatever
// is in the storage, now or later.
func (w *Webapp) unauthorized() *authorization {
	o, err := w.sourceOptions()
	if err != nil || o.Storage == nil {
		return nil
	}
	o.Initial = nil
	return w.authorization(o)
}

// AuthCodeURL is where to send a user to authorize the webapp. The user comes
// back to redirectURI with the parameters code and state. The state must be a
// random value that is kept in the user's session and compared on return (RFC
// 6749 §10.12).
func (w *Webapp) AuthCodeURL(state, redirectURI string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {w.credentials.id}, "redirect_uri": {redirectURI}, "state": {state}}
	if s := w.credentials.options.Scope; s != "" {
		q.Set("scope", s)
	}
	return w.credentials.authorize + "?" + q.Encode()
}

// Exchange turns the code that a user came back with into a token, which takes
// the place of any that is held. redirectURI is the one given to AuthCodeURL.
func (w *Webapp) Exchange(ctx context.Context, code, redirectURI string) error {
	t, err := w.credentials.AuthorizationCode(ctx, code, redirectURI, nil)
	if err != nil {
		return err
	}
	o, err := w.sourceOptions()
	if err != nil {
		return err
	}
	o.Initial = nil
	a := w.authorization(o)
	a.begin(t)
	if old := w.current.Swap(a); old != nil {
		old.source.Forget()
	}
	// The code is spent: that the caller has left must not lose what it brought.
	_, err = a.source.TokenContext(context.WithoutCancel(ctx))
	return err
}

// Client returns an HTTP client whose requests to the service's hosts carry the
// token; requests to any other host carry none. Without a token its requests fail
// with [ErrNotAuthorized].
func (w *Webapp) Client() *http.Client { return &http.Client{Transport: w.transport} }

// Token returns a copy of the token; see [Webapp.TokenContext].
func (w *Webapp) Token() (*bearer.Token, error) {
	t, err := w.TokenContext(context.Background())
	if err != nil {
		return nil, err
	}
	return new(*t), nil
}

// TokenContext returns the token, which is shared and must not be modified. It is
// refreshed if need be; waiting for that ends with ctx. Check the error with
// errors.Is and [ErrNotAuthorized].
func (w *Webapp) TokenContext(ctx context.Context) (*bearer.Token, error) {
	a := w.current.Load()
	if a == nil {
		return nil, ErrNotAuthorized
	}
	t, err := a.source.TokenContext(ctx)
	// Not before somebody has to be told: an access token that is still good serves
	// to its end, even if its refresh token is dead.
	if errors.Is(err, ErrAuthorizationEnded) {
		w.current.CompareAndSwap(a, w.unauthorized())
	}
	return t, err
}

// Evict forgets the access token if it is rejected, one that a server did not
// accept. The refresh token stays.
func (w *Webapp) Evict(ctx context.Context, rejected *bearer.Token) error {
	if a := w.current.Load(); a != nil {
		return a.source.Evict(ctx, rejected)
	}
	return nil
}

// CoreAPIURL is as [Integration.CoreAPIURL].
func (w *Webapp) CoreAPIURL(ctx context.Context) (string, error) {
	return w.credentials.coreAPIURL(ctx, w)
}

// RemoveAuthorization forgets both tokens, in Options.Storage too. What OnChange has
// saved is the caller's to delete. An error says that the storage has not forgotten
// them.
func (w *Webapp) RemoveAuthorization(ctx context.Context) error {
	if a := w.current.Swap(w.unauthorized()); a != nil {
		_, err := a.source.Remove(ctx)
		return err
	}
	return nil
}

// RevokeAuthorization forgets both tokens, in Options.Storage too, then takes them
// back at the auth host. Without any it does nothing. If a revocation fails the
// tokens are forgotten all the same. Those that a refresh under way still brings are taken back when they
// come. What OnChange has saved is the caller's to delete.
func (w *Webapp) RevokeAuthorization(ctx context.Context) error {
	if a := w.current.Swap(w.unauthorized()); a != nil {
		return a.revoke(ctx)
	}
	return nil
}

// String names the client and where its tokens come from.
func (w *Webapp) String() string { return w.credentials.describe("Webapp") }

// Format prints what String returns, whatever the verb.
func (w *Webapp) Format(s fmt.State, _ rune) { io.WriteString(s, w.String()) }

// LogValue is what String returns.
func (w *Webapp) LogValue() slog.Value { return slog.StringValue(w.String()) }
