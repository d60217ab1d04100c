package commercelayertest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxRequestLog is how many requests the request log may be made to hold.
const maxRequestLog = 1_000_000

// Request is an entry of the request log. It holds no secret.
type Request struct {
	Time     time.Time `json:"time"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"` // without the query
	Endpoint Endpoint  `json:"endpoint"`
	// Grant is the grant type of a token request, if it is one of the five.
	Grant string `json:"grant,omitempty"`
	// ClientID is that of a known application, of a token request, a
	// revocation, or the token shown to the API.
	ClientID string `json:"client_id,omitempty"`
	// Shown is what the token was that the API was shown; zero if there was
	// none, or the server does not remember it.
	Shown Shown `json:"shown,omitzero"`
	// ID is the header X-Request-Id, by which a test knows its requests again,
	// if it is one word of printable ASCII; cut after 200 characters.
	ID string `json:"id,omitempty"`
	// Status is the answer's; 0 if the connection was dropped before it.
	Status int `json:"status"`
	// Code is the code of an error answer, such as INVALID_TOKEN.
	Code string `json:"code,omitempty"`
	// Fault is what the server was made to do wrong.
	Fault string `json:"fault,omitempty"`
}

// Shown tells about a token that the API was shown, without telling the token.
// The API takes it only if Status says so: it may be expired or revoked.
type Shown struct {
	Kind Kind `json:"kind"` // of its application
	// Grant is the grant type that the token was first got by; empty if
	// [Server.Issue] made it.
	Grant string `json:"grant,omitempty"`
	Scope string `json:"scope"`
	// Owner is whom the token speaks for; zero for a guest or an application.
	Owner Owner `json:"owner,omitzero"`
}

// Counts is what happened since the server was made, or since
// [Server.ResetCounts]. It is comparable: a test can compare it whole.
type Counts struct {
	TokenRequests     int `json:"token_requests"` // all that arrived, refused and faulty ones too
	ClientCredentials int `json:"client_credentials"`
	Password          int `json:"password"`
	RefreshToken      int `json:"refresh_token"`
	AuthorizationCode int `json:"authorization_code"`
	JWTBearer         int `json:"jwt_bearer"`

	Issued         int `json:"issued"`           // access tokens newly made
	SameAgain      int `json:"same_again"`       // running tokens given again
	BadRequests    int `json:"bad_requests"`     // token requests answered 400
	Unauthorized   int `json:"unauthorized"`     // token requests answered 401
	RateLimited    int `json:"rate_limited"`     // token requests answered 429 for their number
	RefreshReused  int `json:"refresh_reused"`   // spent refresh tokens that came back
	FamiliesEnded  int `json:"families_ended"`   // sessions revoked for that
	RevokeRequests int `json:"revoke_requests"`  // all that arrived
	Revoked        int `json:"revoked"`          // tokens that a request has ended
	RevokeRefused  int `json:"revoke_refused"`   // revocations answered 403
	KeySetRequests int `json:"key_set_requests"` // requests for the key set

	APIRequests     int `json:"api_requests"`
	APIInvalidToken int `json:"api_invalid_token"` // answered 401 INVALID_TOKEN
	APIUnauthorized int `json:"api_unauthorized"`  // answered 401 UNAUTHORIZED

	Faults int `json:"faults"` // requests that met a fault
}

// journal counts and logs requests.
type journal struct {
	log  *slog.Logger
	size int // of the ring, when it is full

	mu     sync.Mutex // guards what follows
	counts Counts
	ring   []Request
	next   int // where the ring continues once it is full
}

// begin counts a request's arrival and starts its entry in the log.
func (j *journal) begin(c *call) Request {
	j.add(func(n *Counts) {
		switch c.place.endpoint {
		case TokenEndpoint:
			n.TokenRequests++
			switch c.grant {
			case grantClientCredentials:
				n.ClientCredentials++
			case grantPassword:
				n.Password++
			case grantRefreshToken:
				n.RefreshToken++
			case grantAuthorizationCode:
				n.AuthorizationCode++
			case grantJWTBearer:
				n.JWTBearer++
			}
		case RevokeEndpoint:
			n.RevokeRequests++
		case KeysEndpoint:
			n.KeySetRequests++
		case APIEndpoint:
			n.APIRequests++
		}
	})
	e := Request{
		Time:     time.Now(),
		Method:   clip(c.r.Method),
		Host:     clip(c.r.Host),
		Path:     clip(c.r.URL.Path),
		Endpoint: c.place.endpoint,
		Grant:    c.grant,
	}
	if id := c.r.Header.Get("X-Request-Id"); oneWord(id) {
		e.ID = clip(id)
	}
	if c.place.endpoint == APIEndpoint {
		// Looked up now, so that it is known of a request that meets a fault too.
		if t, ok := c.s.tokens.remembered(bearer(c.r)); ok {
			e.ClientID = t.app.ClientID
			e.Shown = Shown{Kind: t.app.Kind, Grant: t.grant, Scope: clip(t.scope.text), Owner: Owner{t.owner.Type, clip(t.owner.ID)}}
		}
	}
	return e
}

// oneWord tells whether a text is safe to show in a log as it is.
func oneWord(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

// clip keeps what a client made up from filling the log.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// end counts a request's outcome and logs it.
func (j *journal) end(c *call, a reply) {
	e := c.entry
	e.Status, e.Code = a.status, a.code
	if c.app != nil {
		e.ClientID = c.app.ClientID
	}
	j.add(func(n *Counts) {
		if e.Fault != "" {
			n.Faults++
		}
		switch {
		case e.Endpoint == TokenEndpoint && e.Status == http.StatusBadRequest:
			n.BadRequests++
		case e.Endpoint == TokenEndpoint && e.Status == http.StatusUnauthorized:
			n.Unauthorized++
		case e.Endpoint == RevokeEndpoint && e.Status == http.StatusForbidden:
			n.RevokeRefused++
		case e.Endpoint == APIEndpoint && e.Code == errInvalidToken.code:
			n.APIInvalidToken++
		case e.Endpoint == APIEndpoint && e.Code == errAccessDenied.code:
			n.APIUnauthorized++
		}
		if len(j.ring) < j.size {
			j.ring = append(j.ring, e)
			return
		}
		j.ring[j.next] = e
		j.next = (j.next + 1) % j.size
	})
	j.log.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelInfo, "request",
		slog.String("method", e.Method), slog.String("host", e.Host), slog.String("path", e.Path),
		slog.String("grant", e.Grant), slog.String("client_id", e.ClientID),
		slog.Int("status", e.Status), slog.String("code", e.Code), slog.String("fault", e.Fault))
}

// add changes the counts, and whatever else the journal's lock guards.
func (j *journal) add(change func(*Counts)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.counts)
}

// Counts returns what happened so far.
func (s *Server) Counts() Counts {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.counts
}

// ResetCounts begins counting anew and returns what was counted before.
func (s *Server) ResetCounts() Counts {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	counts := s.journal.counts
	s.journal.counts = Counts{}
	return counts
}

// Requests returns the request log, oldest first: the requests that were
// answered or dropped, the last [Options].RequestLog of them. Preflights and the
// control interface are not in it.
func (s *Server) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	log := make([]Request, 0, len(s.journal.ring))
	log = append(log, s.journal.ring[s.journal.next:]...)
	return append(log, s.journal.ring[:s.journal.next]...)
}
